"""The log pane: stays where it was scrolled to, and at its end follows what comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.events import MouseScrollDown, MouseScrollUp

from app.actions import bindings
from app.logpane import Pane, Said
from app.paint.canvas import Canvas
from app.paint.log import log_lines, paint_log, room, title
from app.screens.pages import Dialog
from app.widgets.board import Board

_FRAME = 2


class LogScreen(Dialog[None]):
    """``read``: gives what was said so far."""

    BINDINGS = bindings("log")

    def __init__(self, read: Callable[[], Sequence[Said]]) -> None:
        super().__init__()
        self._read = read
        self.pane = Pane(read())
        self.board = Board(self._paint, self._title)

    def compose(self) -> ComposeResult:
        yield self.board

    def _paint(self, columns: int, rows: int) -> Canvas:
        return paint_log(self.pane, self.hints("log"), columns, rows)

    def _title(self) -> tuple[str, str]:
        return title(self.pane, *self._inside)

    @property
    def _inside(self) -> tuple[int, int]:
        return self.board.size.width - _FRAME, self.board.size.height - _FRAME

    def _show(self, pane: Pane) -> None:
        self.pane = pane
        self.board.redraw()

    def follow(self) -> None:
        """More may have been said."""
        if self._read() is not self.pane.log:
            self._show(replace(self.pane, log=self._read()))

    def action_scroll(self, by: int) -> None:
        columns, rows = self._inside
        self._show(self.pane.scrolled(by, len(log_lines(self.pane, columns - 2)), room(rows)))

    def action_page(self, direction: int) -> None:
        self.action_scroll(direction * room(self._inside[1]))

    def action_who(self, by: int) -> None:
        self._show(self.pane.turned(by))

    def on_mouse_scroll_down(self, _event: MouseScrollDown) -> None:
        self.action_scroll(3)

    def on_mouse_scroll_up(self, _event: MouseScrollUp) -> None:
        self.action_scroll(-3)
