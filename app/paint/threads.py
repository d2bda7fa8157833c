"""The thread from a mark to what it came of, drawn through the rows of its lane."""

from __future__ import annotations

from itertools import pairwise

from app.paint.canvas import Canvas, Role
from app.paint.marks import LIT, ROLES
from app.paint.scene import Dot, Scene
from app.paint.view import View
from probes.causes import Thread, thread
from probes.events import Layer
from probes.state import Mark

_END = "×"


def selected(view: View) -> tuple[int, Layer, Mark] | None:
    """The mark that is asked about: lane, layer and mark."""
    pin = view.lens.cursor
    mark = None if pin is None else pin.mark(view.run)
    return None if pin is None or mark is None else (pin.lane, pin.layer, mark)


def thread_of(view: View) -> Thread | None:
    """The thread that is to be shown: asked for, and with a mark to begin at."""
    found = selected(view) if view.lens.why else None
    return None if found is None else thread(view.run.lanes[found[0]], *found[1:])


def paint_thread(made: Scene, view: View) -> None:
    found, asked = thread_of(view), selected(view)
    if found is None or asked is None:
        return
    dots = [dot for layer, mark in found.knots if (dot := made.dot(asked[0], layer, mark)) is not None]
    taken = {(dot.x, dot.y) for dot in made.dots}
    for effect, cause in pairwise(dots):
        _lead(made.canvas, cause, effect, taken)
    for dot in dots:
        made.canvas.put(dot.x, dot.y, made.canvas.char(dot.x, dot.y), LIT[ROLES[dot.moment]])
    if dots:
        _paint_end(made, asked[0], found, dots[0])


def _lead(canvas: Canvas, cause: Dot, effect: Dot, taken: set[tuple[int, int]]) -> None:
    """From the cause up or down in its column, then along the row of the effect; marks on the way stay."""
    if cause.y == effect.y:
        return
    step = 1 if effect.y > cause.y else -1
    cells = [(cause.x, y, "│") for y in range(cause.y + step, effect.y, step)]
    first, end = sorted((cause.x, effect.x))
    cells += [(x, effect.y, "─") for x in range(first + 1, end)]
    if first != end:
        corners = "╰╯" if step > 0 else "╭╮"
        cells.append((cause.x, effect.y, corners[effect.x < cause.x]))
    for x, y, char in cells:
        if (x, y) not in taken:
            canvas.put(x, y, char, Role.STRONG)


def _paint_end(made: Scene, lane: int, found: Thread, dot: Dot) -> None:
    """Where the news went no further."""
    if found.stops is None:
        return
    y = next((slot.y for slot in made.slots if slot.lane == lane and found.stops[0] in slot.layers), None)
    if y is None or y <= dot.y:
        return
    for line in range(dot.y + 1, y):
        made.canvas.put(dot.x, line, "│", Role.STRONG)
    _end_at(made.canvas, dot.x, y)


def _end_at(canvas: Canvas, x: int, y: int) -> None:
    """A cross, or where the row's words stand there already, the words: they say it."""
    if canvas.role(x, y) is not Role.STRONG:
        canvas.put(x, y, _END, Role.LIT_ALERT)
        return
    first = end = x
    while first and canvas.role(first - 1, y) is Role.STRONG:
        first -= 1
    while end < canvas.columns and canvas.role(end, y) is Role.STRONG:
        end += 1
    for each in range(first, end):
        canvas.put(each, y, canvas.char(each, y), Role.LIT_ALERT)
