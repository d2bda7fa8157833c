"""The menu that disturbs the connections of one lane while its run is open."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Key

from app import commands
from app.actions import bindings
from app.faultmenu import Item, Menu, menu
from app.paint.canvas import Canvas
from app.paint.faultmenu import height, paint_faults, title
from app.screens.pages import Dialog
from app.widgets.board import Board
from probes.state import LaneState


class FaultsScreen(Dialog[commands.Fault | commands.Clear]):
    """Gives the command for the lab, or None. ``index``: where the lane is among its run's, from 0."""

    BINDINGS = bindings("faults")

    def __init__(self, lane: LaneState, index: int) -> None:
        super().__init__()
        self.menu = menu(lane, index)
        self.board = Board(self._paint, lambda: title(self.menu))

    def compose(self) -> ComposeResult:
        yield self.board

    def on_mount(self) -> None:
        self.board.styles.width = 84
        self.board.styles.height = height(self.menu)

    def _paint(self, columns: int, rows: int) -> Canvas:
        turns = self.menu.item.turns
        offered = [hint for hint in self.hints("faults") if turns or not hint.action.startswith("turn")]
        return paint_faults(self.menu, offered, columns, rows)

    def _show(self, menu: Menu) -> None:
        self.menu = menu
        self.board.redraw()

    def on_key(self, event: Key) -> None:
        item = self.menu.named(event.character or "")
        if item is not None:
            event.stop()
            self._do(item)

    def action_move(self, by: int) -> None:
        self._show(self.menu.moved(by))

    def action_turn(self, by: int) -> None:
        self._show(self.menu.turned(by))

    def action_do(self) -> None:
        self._do(self.menu.item)

    def _do(self, item: Item) -> None:
        self.dismiss(self.menu.command(item))
