"""Lines that meet: each cell has four arms, light or heavy, and the glyph that has just these."""

from __future__ import annotations

from app.paint.canvas import Canvas, Role

LIGHT, HEAVY = 1, 2
_UP, _RIGHT, _DOWN, _LEFT = 27, 9, 3, 1
"""An arm's place in the number of a glyph, to the base of three: nothing, light, heavy."""

_GLYPHS = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋"
_ROUND = str.maketrans("┌┐└┘", "╭╮╰╯")

Cell = tuple[int, int]


class Wires:
    """Draws lines into cells, in any order: of two that share an arm the heavier one is seen."""

    def __init__(self) -> None:
        self._arms: dict[Cell, dict[int, int]] = {}
        self._roles: dict[Cell, tuple[int, Role]] = {}

    def line(self, start: Cell, end: Cell, weight: int, role: Role) -> None:
        """From the middle of one cell to that of another in the same row or column."""
        (x, y), (right, bottom) = sorted((start, end))
        if y == bottom:
            for column in range(x, right):
                self._join((column, y), _RIGHT, (column + 1, y), _LEFT, weight, role)
        for row in range(y, bottom):
            self._join((x, row), _DOWN, (x, row + 1), _UP, weight, role)

    def _join(self, one: Cell, arm: int, other: Cell, counter: int, weight: int, role: Role) -> None:
        for cell, way in ((one, arm), (other, counter)):
            arms = self._arms.setdefault(cell, {})
            arms[way] = max(weight, arms.get(way, 0))
            if weight >= self._roles.get(cell, (0, role))[0]:
                self._roles[cell] = (weight, role)

    def paint(self, canvas: Canvas) -> None:
        for (x, y), arms in self._arms.items():
            glyph = _GLYPHS[sum(place * weight for place, weight in arms.items())]
            canvas.put(x, y, glyph.translate(_ROUND), self._roles[x, y][1])
