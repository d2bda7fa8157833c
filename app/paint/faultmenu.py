"""The menu of faults, and which of them stand."""

from __future__ import annotations

from collections.abc import Sequence

from app.faultmenu import DIRECTIONS, Menu
from app.paint.canvas import Canvas, Role
from app.paint.status import put_hints
from app.paint.text import fit, plain, width
from app.paint.view import Hint

FRAME_ROWS, REST = 2, 5


def title(menu: Menu) -> tuple[str, str]:
    stands = ", ".join(sorted(menu.standing))
    return f"faults · {menu.number} {plain(menu.lane)}", f"{stands} stands" if stands else ""


def height(menu: Menu) -> int:
    """Rows that all of it needs, frame included."""
    return FRAME_ROWS + len(menu.items) + REST


def paint_faults(menu: Menu, hints: Sequence[Hint], columns: int, rows: int) -> Canvas:
    canvas = Canvas(columns, rows)
    names = max(width(item.label) for item in menu.items)
    for y, item in enumerate(menu.items, start=1):
        chosen = item is menu.item
        if chosen:
            canvas.put(0, y, "▌", Role.SELECTED)
        canvas.put(2, y, item.letter, Role.KEY)
        stands = item.fault is not None and item.fault.kind in menu.standing
        canvas.put(4, y, "×" if stands else " ", Role.ALERT)
        canvas.put(6, y, item.label, Role.ALERT if stands else Role.STRONG if chosen else Role.TEXT)
        canvas.put(6 + names + 2, y, fit(item.help, columns - names - 8), Role.DIM)
    _paint_direction(canvas, len(menu.items) + 2, menu)
    put_hints(canvas, rows - 1, hints)
    return canvas


def _paint_direction(canvas: Canvas, y: int, menu: Menu) -> None:
    if not menu.item.turns:
        return
    x = canvas.put(2, y, "direction", Role.DIM) + 2
    for direction in DIRECTIONS:
        chosen = direction == menu.direction
        word = direction or "both"
        x = canvas.put(x, y, f"[{word}]" if chosen else f" {word} ", Role.LIT_TEXT if chosen else Role.DIM) + 1
