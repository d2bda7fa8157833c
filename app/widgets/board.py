"""``Board``: a box in a dialog, whose inside is painted by a function of its dialog."""

from __future__ import annotations

from collections.abc import Callable

from app.paint.canvas import Canvas
from app.paint.frame import frame
from app.widgets.panel import Canvassed

Paint = Callable[[int, int], Canvas]
Titles = Callable[[], tuple[str, str]]


class Board(Canvassed):
    """``paint(columns, rows)`` gives the cells inside of the frame, ``titles()`` what stands in its upper line."""

    def __init__(self, paint: Paint, titles: Titles, *, id: str = "board") -> None:
        super().__init__(id=id)
        self._paint, self._titles = paint, titles

    def make_canvas(self, columns: int, rows: int) -> Canvas:
        return frame(self._paint, self._titles(), "box", columns, rows)
