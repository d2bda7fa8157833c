"""What a trainer asks and says about the scenario that is shown."""

from __future__ import annotations

from app.actions import bindings
from app.lesson import Lesson
from app.paint.lesson import lesson_lines
from app.screens.pages import PageScreen

_WIDEST, _FRAME = 92, 4


class LessonScreen(PageScreen):
    """``answered``: whether the run was seen. The answer, and the presenter's notes, are otherwise told on demand."""

    BINDINGS = bindings("lesson")

    def __init__(self, lesson: Lesson, *, answered: bool) -> None:
        super().__init__([], "notes")
        self._lesson, self._answered, self._presenter = lesson, answered, False

    def on_mount(self) -> None:
        # Textual calls the bases' handlers as well.
        self._show()

    def on_resize(self) -> None:
        self._show()

    def _show(self) -> None:
        columns = min(_WIDEST, self.app.size.width) - _FRAME
        self.reader.lines = lesson_lines(self._lesson, columns, answered=self._answered, presenter=self._presenter)
        self.reader.styles.height = len(self.reader.lines) + 2
        self.reader.scroll_lines(0)

    def action_answer(self) -> None:
        self._answered = True
        self._show()

    def action_presenter(self) -> None:
        self._presenter = not self._presenter
        self._show()
