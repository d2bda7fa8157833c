"""Lines that meet: each cell has four arms, light or heavy, and the glyph that has just these."""

from __future__ import annotations

from app.paint.canvas import Canvas, Role

LIGHT, HEAVY = 1, 2
_UP, _RIGHT, _DOWN, _LEFT = 27, 9, 3, 1
"""An arm's place in the number of a glyph, to the base of three: nothing, light, heavy."""

_GLYPHS = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋"
_ROUND = str.maketrans("┌┐└┘", "╭╮╰╯")

Cell = tuple[int, int]
Look = tuple[int, Role]
"""Weight and role of a line."""


class Wires:
    """Draws lines into cells, in any order: of two that share an arm the heavier one is seen."""

    def __init__(self) -> None:
        self._arms: dict[Cell, dict[int, Look]] = {}

    def line(self, start: Cell, end: Cell, weight: int, role: Role) -> None:
        """From the middle of one cell to that of another in the same row or column."""
        (x, y), (right, bottom) = sorted((start, end))
        look = (weight, role)
        for column in range(x, right) if y == bottom else ():
            self._add((column, y), _RIGHT, look)
            self._add((column + 1, y), _LEFT, look)
        for row in range(y, bottom):
            self._add((x, row), _DOWN, look)
            self._add((x, row + 1), _UP, look)

    def _add(self, cell: Cell, arm: int, look: Look) -> None:
        arms = self._arms.setdefault(cell, {})
        if arm not in arms or arms[arm][0] < look[0]:
            arms[arm] = look

    def paint(self, canvas: Canvas) -> None:
        for (x, y), arms in self._arms.items():
            glyph = _GLYPHS[sum(arm * weight for arm, (weight, _) in arms.items())]
            canvas.put(x, y, glyph.translate(_ROUND), max(arms.values())[1])
