"""The screen of what can be tried, what has a scenario, and what this session has tried."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult

from app.actions import bindings
from app.coverage import Cell
from app.grid import Grid
from app.paint.canvas import Canvas
from app.paint.coverage import paint_coverage, title
from app.screens.pages import Dialog
from app.tally import Tally
from app.widgets.board import Board


class CoverageScreen(Dialog[Cell]):
    """Gives the cell that was opened, or None. ``grid``: the cells, and where to begin; ``opens``: whether cells can be
    opened here: a recording is only looked at."""

    BINDINGS = bindings("coverage")

    def __init__(self, grid: Grid, tally: Tally, *, opens: bool) -> None:
        super().__init__()
        self._tally, self._opens = tally, opens
        tally.update()
        self.grid = replace(grid, tried=tally.cells, left=tally.left)
        self.board = Board(self._paint, lambda: title(self.grid))

    def compose(self) -> ComposeResult:
        yield self.board

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "open" or self._opens

    def _paint(self, columns: int, rows: int) -> Canvas:
        offered = [hint for hint in self.hints("coverage") if hint.action != "open" or self._opens]
        return paint_coverage(self.grid, offered, columns, rows)

    def _show(self, grid: Grid) -> None:
        self.grid = grid
        self.board.redraw()

    def follow(self) -> bool:
        """Runs may have settled meanwhile; whether some are not counted yet."""
        if self._tally.update():
            self._show(replace(self.grid, tried=self._tally.cells, left=self._tally.left))
        return self._tally.left > 0

    def action_move(self, phases: int, causes: int) -> None:
        self._show(self.grid.moved(phases, causes))

    def action_lane(self, by: int) -> None:
        self._show(self.grid.other_lane(by))

    def action_open(self) -> None:
        if not self.grid.cell.why:
            self.dismiss(self.grid.cell)
