"""The screen of the session's runs: each of them, one against another, and all that are alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from textual.app import ComposeResult

from app.actions import bindings
from app.annals import Annals
from app.chronicle import Chronicle
from app.paint.canvas import Canvas
from app.paint.history import paint_history, title
from app.screens.pages import Dialog
from app.widgets.board import Board


class HistoryScreen(Dialog[int]):
    """Gives the number of the run that was opened, or None. ``pin`` is told the number of the pinned run, 0 for none;
    ``opens``: whether a run can be opened now: while one is open nobody looks back."""

    BINDINGS = bindings("history")

    def __init__(
        self, annals: Annals, run: int, lane: int, pinned: int, pin: Callable[[int], None], *, opens: bool
    ) -> None:
        super().__init__()
        self._annals, self._pin, self._opens = annals, pin, opens
        annals.update()
        self.chronicle = Chronicle(annals.entries, run, pinned, lane, annals.left)
        self.board = Board(self._paint, lambda: title(self.chronicle))

    def compose(self) -> ComposeResult:
        yield self.board

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "open" or self._opens

    def _paint(self, columns: int, rows: int) -> Canvas:
        offered = [hint for hint in self.hints("history") if hint.action != "open" or self._opens]
        return paint_history(self.chronicle, offered, columns, rows)

    def _show(self, chronicle: Chronicle) -> None:
        self.chronicle = chronicle
        self.board.redraw()

    def follow(self) -> bool:
        """Runs may have settled meanwhile; whether some have not been looked at yet."""
        if self._annals.update():
            self._show(replace(self.chronicle, entries=self._annals.entries, left=self._annals.left))
        return self._annals.left > 0

    def action_move(self, by: int) -> None:
        self._show(self.chronicle.moved(by))

    def action_lane(self, by: int) -> None:
        self._show(self.chronicle.other_lane(by))

    def action_pin(self) -> None:
        self._show(self.chronicle.with_pin())
        self._pin(self.chronicle.pinned)

    def action_open(self) -> None:
        chosen = self.chronicle.chosen
        if chosen is not None:
            self.dismiss(chosen.run)
