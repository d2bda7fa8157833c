"""What a lane will do, in a few words: its phase, its cause, and whatever makes it special. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.paint.canvas import Canvas, Role
from app.paint.text import fit, plain, width
from probes.events import CALLED_BY, LanePlan

_GAP = 2


def extras(plan: LanePlan) -> str:
    """Behaviour, shape, TLS, links and faults, where they are not the usual ones."""
    return plain(" · ".join(_extras(plan)))


def _extras(plan: LanePlan) -> Iterator[str]:
    if plan.shape and plan.shape != "server stream":
        yield plan.shape
    if plan.tls:
        yield "TLS"
    if plan.behaviour != "cooperative":
        yield plan.behaviour
    if plan.middleware:
        yield "through " + " ▸ ".join(plan.middleware)
    for fault in plan.faults:
        yield " ".join(part for part in ("fault", fault.kind, fault.how, fault.direction) if part)
    for name, value in plan.options.items():
        if name != CALLED_BY:
            yield f"{name} {str(value).lower() if isinstance(value, bool) else value}"


def cause(plan: LanePlan) -> str:
    """What cancels it; of a hop, whose handler made the call."""
    return plain(f"called by {plan.options[CALLED_BY]}" if CALLED_BY in plan.options else plan.cause)


def paint_plans(canvas: Canvas, x: int, y: int, lanes: tuple[LanePlan, ...], end: int) -> int:
    """A line for each lane from column ``x`` up to ``end``, or two where its extras need one; returns the next row."""
    room = end - x
    names = min(max((width(plain(lane.lane)) for lane in lanes), default=0), max(8, room // 4)) + 2
    phases = min(max((width(plain(lane.phase)) for lane in lanes), default=0), max(8, room // 3))
    for number, lane in enumerate(lanes, start=1):
        canvas.put(x, y, fit(f"{number} {plain(lane.lane)}", names), Role.STRONG)
        canvas.put(x + names + _GAP, y, fit(plain(lane.phase), phases), Role.TEXT)
        after = x + names + phases + 2 * _GAP
        after = canvas.put(after, y, fit(cause(lane), end - after), Role.TEXT) + _GAP
        y += 1
        more = extras(lane)
        if more and after + width(more) <= end:
            canvas.put(after, y - 1, more, Role.DIM)
        elif more:
            canvas.put(x + 2, y, fit(more, room - 2), Role.DIM)
            y += 1
    return y
