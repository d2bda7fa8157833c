"""The timeouts in force by lane, or those of the next run; which of them will win and why, and whether it did."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from app.paint import saying
from app.paint.canvas import Canvas, Role
from app.paint.text import fit, plain
from app.paint.units import seconds
from app.paint.view import View
from app.settings import SCOPE, TIMEOUTS
from probes import tried
from probes.events import LanePlan

FIRED = "◆"
_SELDOM = ("asyncio.timeout", "statement_timeout")


def title(view: View, _rows: int) -> tuple[str, str]:
    return "timeouts", "next run" if _next(view) else ""


def height(view: View, most: int = 99) -> int:
    """Rows that the panel needs, its frame included. Where all of it is more than ``most``, two lines tell which timer
    wins."""
    table = 1 + sum(_rows(list(group)) for group in _groups(view.settings.lanes)) + 2
    all_of_it = table + saying.rows(_saying(view)) + 1
    return all_of_it if all_of_it <= most else table + 2


def _saying(view: View) -> saying.Saying:
    return saying.of_view(view, coming=_next(view))


def _next(view: View) -> bool:
    """Whether the next run is what is told of: it was changed since the one that is shown."""
    return view.mode == "live" and view.run.ended is not None and _changed(view)


def paint_timeouts(view: View, columns: int, rows: int) -> Canvas:
    canvas = Canvas(columns, rows)
    y = _paint_row(canvas, 0, view, "scope", "deadline", (SCOPE,))
    for group in _groups(view.settings.lanes):
        lanes = [plan.lane for plan in group]
        names = _names(group)
        if len(names) == 1 and len(lanes) == 1:
            y = _paint_row(canvas, y, view, plain(lanes[0]), names[0], (lanes[0],))
            continue
        cells = _cells(columns, len(lanes))
        for index, lane in enumerate(lanes):
            end = columns - (len(lanes) - 1 - index) * cells
            canvas.put(0, y, plain(lane), Role.STRONG) if len(lanes) == 1 else canvas.right(
                end, y, fit(plain(lane), cells - 1), Role.STRONG
            )
        for name in names:
            y += 1
            _paint_row(canvas, y, view, "", name, lanes)
        y += 1
    if view.lanes and y < rows:
        said = _saying(view)
        saying.paint_saying(canvas, y + (rows - y > saying.rows(said)), said, view.selected)
    return canvas


def _paint_row(canvas: Canvas, y: int, view: View, lane: str, name: str, lanes: tuple[str, ...] | list[str]) -> int:
    x = 0
    if lane:
        x = canvas.put(0, y, fit(lane, 10), Role.STRONG)
    canvas.put(x + 1, y, name, Role.DIM)
    cells = _cells(canvas.columns, len(lanes))
    for index, each in enumerate(lanes):
        text, role = _value(view, each, name)
        canvas.right(canvas.columns - (len(lanes) - 1 - index) * cells, y, text, role)
    return y + 1


def _cells(columns: int, lanes: int) -> int:
    return min(10, (columns - 9) // max(1, lanes))


def _value(view: View, lane: str, name: str) -> tuple[str, Role]:
    value = _of(view.settings.lanes, view.settings.deadline, lane, name)
    text = seconds(value)
    if fired(view, lane, name):
        return f"{FIRED} {text}", Role.DONE
    if view.run.lanes and value != _of(_plans(view), view.run.deadline, lane, name):
        return text, Role.KEY
    return text, Role.DIM if value is None else Role.TEXT


def fired(view: View, lane: str, name: str) -> bool:
    """Whether this timeout was what triggered its lane (or the scope)."""
    if lane == SCOPE:
        return view.run.zero is not None and view.run.zero.cause == "scope deadline"
    state = view.run.lane(lane)
    return state is not None and state.zero is not None and tried.fired(state.zero, name)


def _plans(view: View) -> tuple[LanePlan, ...]:
    return tuple(lane.plan for lane in view.run.lanes)


def _of(plans: tuple[LanePlan, ...], deadline: float | None, lane: str, name: str) -> float | None:
    if lane == SCOPE:
        return deadline
    return next((plan.timeouts.get(name) for plan in plans if plan.lane == lane), None)


def _changed(view: View) -> bool:
    return any(
        value != _of(_plans(view), view.run.deadline, lane, name) for lane, name, value in view.settings.timeouts()
    )


def _groups(plans: tuple[LanePlan, ...]) -> Iterator[list[LanePlan]]:
    """Neighbours with the same timeouts share a table, two at most."""
    for _, group in groupby(plans, key=lambda plan: TIMEOUTS.get(plan.protocol, ())):
        members = list(group)
        for first in range(0, len(members), 2):
            yield members[first : first + 2]


def _names(group: list[LanePlan]) -> list[str]:
    """The clients' own timeouts always; what is set seldom only where a lane has it."""
    names = TIMEOUTS.get(group[0].protocol, ())
    return [name for name in names if name not in _SELDOM or any(plan.timeouts.get(name) for plan in group)]


def _rows(group: list[LanePlan]) -> int:
    names = _names(group)
    return 1 if len(names) == 1 and len(group) == 1 else 1 + len(names)
