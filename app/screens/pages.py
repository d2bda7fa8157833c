"""Dialogs that are read: help, log, evidence. Escape closes them; nothing in them cancels anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.events import MouseScrollDown, MouseScrollUp
from textual.screen import ModalScreen, Screen

from app.actions import Place, Shown, as_shipped, bindings, help_lines, hints
from app.paint.canvas import Canvas
from app.paint.evidence import height as evidence_height
from app.paint.evidence import paint_evidence
from app.paint.evidence import title as evidence_title
from app.paint.frame import frame
from app.paint.pages import Line, paint_lines
from app.paint.view import Hint, Mode, View
from app.widgets.panel import Canvassed, Panel

Result = TypeVar("Result")


def shown_by(screen: Screen[Any]) -> Shown:
    """How the app that the screen belongs to writes an action's key."""
    shown: Shown = getattr(screen.app, "shown", as_shipped)
    return shown


class Dialog(ModalScreen[Result], Generic[Result]):
    """A screen over the screen. ``escape`` closes it, and that is all that it does."""

    # Textual asks the app for no key while a dialog is open.
    BINDINGS: ClassVar = [Binding("escape", "close", "close"), *bindings("anywhere")]

    def hints(self, place: Place) -> list[Hint]:
        """Its last line, with the keys as they are."""
        return hints(place, shown_by(self))

    def action_close(self) -> None:
        self.dismiss(None)


class Reader(Canvassed):
    """Lines in a box, from line ``top`` on."""

    def __init__(self, lines: Sequence[Line], heading: str) -> None:
        super().__init__(id="reader")
        self.lines, self._heading, self.top = lines, heading, 0

    @property
    def room(self) -> int:
        return max(1, self.size.height - 2)

    def scroll_lines(self, by: int) -> None:
        self.top = max(0, min(self.top + by, len(self.lines) - self.room))
        self.redraw()

    def make_canvas(self, columns: int, rows: int) -> Canvas:
        def inside(wide: int, high: int) -> Canvas:
            canvas = Canvas(wide, high)
            canvas.paste(paint_lines(self.lines, self.top, wide - 2, high), 1, 0)
            return canvas

        last = min(len(self.lines), self.top + rows - 2)
        scrolls = len(self.lines) > rows - 2
        where = f"{self.top + 1} to {last} of {len(self.lines)}, arrows scroll" if scrolls else "esc closes"
        return frame(inside, (self._heading, where), "box", columns, rows)


class PageScreen(Dialog[None]):
    """Shows lines; the arrow keys scroll them."""

    BINDINGS: ClassVar = [
        Binding("up,k", "scroll_by(-1)", "up"),
        Binding("down,j", "scroll_by(1)", "down"),
        Binding("pageup", "page(-1)", "page up"),
        Binding("pagedown,space", "page(1)", "page down"),
        Binding("home", "scroll_by(-1000000)", "top"),
        Binding("end", "scroll_by(1000000)", "end"),
        Binding("q", "close", "close"),
    ]

    def __init__(self, lines: Sequence[Line], heading: str) -> None:
        super().__init__()
        self.reader = Reader(lines, heading)

    def compose(self) -> ComposeResult:
        yield self.reader

    def on_mount(self) -> None:
        self.reader.styles.height = min(len(self.reader.lines) + 2, 200)

    def action_scroll_by(self, lines: int) -> None:
        self.reader.scroll_lines(lines)

    def action_page(self, direction: int) -> None:
        self.reader.scroll_lines(direction * self.reader.room)

    def on_mouse_scroll_down(self, _event: MouseScrollDown) -> None:
        self.reader.scroll_lines(3)

    def on_mouse_scroll_up(self, _event: MouseScrollUp) -> None:
        self.reader.scroll_lines(-3)


class HelpScreen(PageScreen):
    """All keys and all marks, made from the table of actions."""

    BINDINGS: ClassVar = [Binding("question_mark", "close", "close")]

    def __init__(self, mode: Mode, shown: Shown) -> None:
        super().__init__(help_lines(mode, shown), "help")


class EvidenceScreen(Dialog[None]):
    """Every mark of the selected lane, with all that is known of it."""

    BINDINGS: ClassVar = [Binding("e,q", "close", "close")]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        yield Panel(paint_evidence, evidence_title, id="sheet")

    def on_mount(self) -> None:
        panel = self.query_one("#sheet", Panel)
        panel.styles.height = evidence_height(self._view, min(116, self.app.size.width) - 2) + 2
        self.call_after_refresh(panel.show, self._view)
