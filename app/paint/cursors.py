"""The cursors: a line through all rows, its letter above, and its mark lit."""

from __future__ import annotations

from app.paint.canvas import Canvas, Role
from app.paint.lens import Pin
from app.paint.marks import LIT, ROLES
from app.paint.rows import zero_of
from app.paint.scene import Scene
from app.paint.view import View

LINE = "╎"
_EMPTY = frozenset(" ┊")
_BESIDE = _EMPTY | frozenset("│╎")


def paint_cursors(made: Scene, view: View) -> None:
    """The second one first: where both are in one column the first is seen."""
    for name, pin in (("B", view.lens.second), ("A", view.lens.cursor)):
        if pin is not None and pin.shown(view.run):
            _paint_cursor(made, view, name, pin)


def _paint_cursor(made: Scene, view: View, name: str, pin: Pin) -> None:
    zero = zero_of(view.run.lanes[pin.lane], view.run)
    if zero is None:
        return
    mark = pin.mark(view.run)
    dot = None if mark is None else made.dot(pin.lane, pin.layer, mark)
    if dot is None and made.axis.side(pin.t - zero):
        return
    x = made.axis.column(pin.t - zero) if dot is None else dot.x
    canvas = made.canvas
    _line(canvas, x)
    canvas.put(x, 0, name, Role.LIT_TEXT)
    if dot is not None and mark is not None:
        canvas.put(x, dot.y, canvas.char(x, dot.y), LIT[ROLES[mark.moment]])
    elif dot is None:
        y = next((slot.y for slot in made.slots if slot.lane == pin.lane and pin.layer in slot.layers), None)
        if y is not None:
            canvas.put(x, y, "┼", Role.KEY)


def _line(canvas: Canvas, x: int) -> None:
    """In the cells that are empty and stand between no words: nothing is covered or torn by it."""
    for y in range(1, canvas.rows):
        if canvas.char(x, y) in _EMPTY and canvas.char(x - 1, y) in _BESIDE and canvas.char(x + 1, y) in _BESIDE:
            canvas.put(x, y, LINE, Role.KEY)
