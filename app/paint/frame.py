"""The line round a panel, or only above it where rows are scarce."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from app.paint.canvas import Canvas, Role
from app.paint.text import fit, width
from app.paint.view import Painter, Title, View

Chrome = Literal["box", "rule", "bare"]


def framed(paint: Painter, title: Title | None, chrome: Chrome, view: View, columns: int, rows: int) -> Canvas:
    """The panel of ``columns`` x ``rows`` cells, frame included."""

    def inside(wide: int, high: int) -> Canvas:
        return paint(view, wide, high)

    titles = ("", "") if title is None else title(view, rows - 1 - (chrome == "box"))
    return frame(inside, titles, chrome, columns, rows)


def frame(
    inside: Callable[[int, int], Canvas], titles: tuple[str, str], chrome: Chrome, columns: int, rows: int
) -> Canvas:
    """``inside(columns, rows)`` with ``chrome`` round it and ``titles`` in its first line."""
    if chrome == "bare" or columns < 4 or rows < 3:
        return inside(columns, rows)
    canvas = Canvas(columns, rows)
    edge = int(chrome == "box")
    if edge:
        _box(canvas)
    else:
        canvas.fill(0, columns, 0, "─", Role.FRAME)
    _titles(canvas, *titles)
    canvas.paste(inside(columns - 2 * edge, rows - 1 - edge), edge, 1)
    return canvas


def _box(canvas: Canvas) -> None:
    right, bottom = canvas.columns - 1, canvas.rows - 1
    for y, (first, last) in ((0, "╭╮"), (bottom, "╰╯")):
        canvas.fill(1, right, y, "─", Role.FRAME)
        canvas.put(0, y, first, Role.FRAME)
        canvas.put(right, y, last, Role.FRAME)
    for y in range(1, bottom):
        canvas.put(0, y, "│", Role.FRAME)
        canvas.put(right, y, "│", Role.FRAME)


def _titles(canvas: Canvas, left: str, right: str) -> None:
    end = canvas.columns - 2
    end_of_left = canvas.put(2, 0, f" {fit(left, end - 4)} ", Role.TITLE) if left else 2
    if right and end_of_left + width(right) + 3 <= end:
        canvas.right(end, 0, f" {right} ", Role.DIM)
