"""The marks of the pinned run, small and dim among those of the run that is shown, both counted from their triggers."""

from __future__ import annotations

from app.paint.canvas import Role
from app.paint.rows import BAR, WIRE, zero_of
from app.paint.scene import Scene, Slot
from app.paint.view import View
from probes.state import Mark, Moment, RunState

GHOSTS: dict[Moment, str] = {Moment.DONE: "⋄", Moment.INTERRUPT: "▫", Moment.CLEANUP: "∘"}
"""Not hollow: that is what a mark looks like that is only claimed."""
_FREE = frozenset(f" ┊{BAR}{WIRE}")
_BESIDE = _FREE | frozenset("│┿┼◆◇■□●○⋄▫∘╎")


def paint_ghosts(made: Scene, view: View) -> None:
    """In cells that have nothing but a bar, so that no mark and no word is covered."""
    if view.reference is not None and view.pinned:
        for slot in made.slots:
            _paint_slot(made, slot, view.run, view.reference)


def _paint_slot(made: Scene, slot: Slot, run: RunState, reference: RunState) -> None:
    then = reference.lane(run.lanes[slot.lane].name)
    zero = None if then is None else zero_of(then, reference)
    # Where this run has no trigger yet there is nothing to align with.
    if then is None or zero is None or zero_of(run.lanes[slot.lane], run) is None:
        return
    for layer in slot.layers:
        for mark in then.layer(layer).marks:
            if not made.axis.side(mark.t - zero):
                _put(made, slot.y, made.axis.column(mark.t - zero), mark)


def _put(made: Scene, y: int, x: int, mark: Mark) -> None:
    canvas = made.canvas
    around = canvas.char(x - 1, y), canvas.char(x + 1, y)
    if canvas.char(x, y) in _FREE and all(each in _BESIDE for each in around):
        canvas.put(x, y, GHOSTS[mark.moment], Role.DIM)
