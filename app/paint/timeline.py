"""The timeline: lanes by layers over one axis, zero at the trigger of each lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.paint import links, starting
from app.paint.axis import Axis
from app.paint.canvas import Canvas, Role
from app.paint.marks import TRIGGER
from app.paint.rows import paint_row, zero_of
from app.paint.text import fit, plain, width
from app.paint.units import figure
from app.paint.view import View
from probes.events import LAYERS, Layer
from probes.state import LaneState, RunState
from probes.verdict import verdict

Rows = dict[str, tuple[Layer, ...]]
"""By a row's name the layers that it shows; none for the middleware's."""

_FOLDS: tuple[Rows, ...] = (
    {layer: (layer,) for layer in LAYERS},
    {"client": ("caller", "client"), "wire": ("wire",), "server": ("server",), "resource": ("resource",)},
    {"client": ("caller", "client"), "wire": ("wire",), "server": ("server", "resource")},
)
"""Which layers share a row when there are fewer rows than layers: no mark is ever left out."""

_LINK_FOLDS: tuple[Rows, ...] = (
    {"caller": ("caller",), links.ROW: (), **{layer: (layer,) for layer in LAYERS[1:]}},
    {
        "client": ("caller", "client"),
        links.ROW: (),
        "wire": ("wire",),
        "server": ("server",),
        "resource": ("resource",),
    },
    _FOLDS[2],
)

_GUEST_FOLDS = tuple(
    {name: layers for name, layers in rows.items() if name not in ("caller", "client")} for rows in _FOLDS
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows are shared out. ``gap``: empty rows between lanes. ``first``, ``count``: the lanes shown."""

    rows: Rows
    gap: int
    first: int
    count: int

    @property
    def height(self) -> int:
        return len(self.rows) + self.gap


def plan(lanes: int, rows: int, selected: int, folds: tuple[Rows, ...] = _FOLDS) -> Plan:
    """The richest plan for ``lanes`` lanes in ``rows`` rows; lanes that do not fit scroll with the selection.
    ``folds``: the rows of a lane, from all of them to the fewest."""
    full, less, least = folds
    for each, gap in ((full, 2), (full, 1), (full, 0), (less, 0), (least, 0)):
        if lanes * (len(each) + gap) - gap <= rows:
            return Plan(each, gap, 0, lanes)
    count = max(1, rows // len(least))
    return Plan(least, 0, min(max(0, selected - count + 1), max(0, lanes - count)), min(count, lanes))


def _folds(run: RunState) -> tuple[Rows, ...]:
    """Guests have no caller and no client of ours; the middleware has a row where there is any."""
    if run.lanes and all(lane.guest for lane in run.lanes):
        return _GUEST_FOLDS
    return _LINK_FOLDS if links.has_links(run) else _FOLDS


def height(view: View) -> int:
    """Rows with which nothing is lost."""
    return 1 + len(view.run.lanes) * (len(_folds(view.run)[0]) + 2)


def axis_of(run: RunState, now: int, left: int, columns: int) -> Axis:
    """The linear stretch stands for the longest time from the run's start to a trigger (or to now)."""
    zeros = [zero if (zero := zero_of(lane, run)) is not None else now for lane in run.lanes]
    return Axis.over(left, columns, max(zeros, default=now) - (run.started or now))


def label_width(columns: int, run: RunState) -> int:
    """Columns for the lane's number and name."""
    longest = max((width(plain(lane.name)) for lane in run.lanes), default=8)
    return min(longest + 3, 13) + (6 if columns >= 130 else 0)


def paint_timeline(view: View, columns: int, rows: int) -> Canvas:
    """The lanes; before the first run what the lab is doing, and what to press."""
    if view.run.started is None:
        return starting.paint_starting(view, columns, rows)
    canvas = Canvas(columns, rows)
    names = label_width(columns, view.run)
    axis = axis_of(view.run, view.now, 2 + names + 9, columns - 1)
    _paint_header(canvas, view, axis)
    layout = plan(len(view.run.lanes), rows - 1, view.selected, _folds(view.run))
    _paint_grid(canvas, 1, axis)
    canvas.repeat(1)
    y = 1
    for index in range(layout.first, layout.first + layout.count):
        _paint_lane(canvas, y, view, index, axis, layout, names)
        y += layout.height
    return canvas


def title(view: View, _rows: int) -> tuple[str, str]:
    run = view.run
    if run.started is None:
        return "timeline", ""
    if run.outcome == "aborted":
        return f"timeline · aborted: {plain(run.detail)}", ""
    if view.playback is not None and (view.playback.slow or view.playback.skipped):
        return "timeline", view.playback.words
    if run.ended is not None:
        return "timeline", f"settled {figure(run.ended - run.started)} after its start"
    return "timeline", ""


def _paint_header(canvas: Canvas, view: View, axis: Axis) -> None:
    zero = view.run.zero
    for column, label in axis.ticks():
        canvas.put(min(column, axis.right - len(label)), 0, label, Role.DIM)
    if zero is not None:
        text = f"{plain(zero.cause)} {TRIGGER}"
    elif any(lane.zero for lane in view.run.lanes):
        text = f"each its own {TRIGGER}"
    elif view.run.ended is None:
        text = f"armed {figure(view.now - (view.run.started or view.now))}"
    else:
        text = "no trigger"
    canvas.right(axis.zero + 1, 0, fit(text, axis.zero), Role.ZERO)


def _paint_grid(canvas: Canvas, y: int, axis: Axis) -> None:
    for column, _ in axis.ticks():
        canvas.put(column, y, "┊", Role.FAINT)
    canvas.put(axis.zero, y, "│", Role.ZERO)


def _paint_lane(canvas: Canvas, y: int, view: View, index: int, axis: Axis, layout: Plan, names: int) -> None:
    lane = view.run.lanes[index]
    chosen = index == view.selected
    for line, (name, layers) in enumerate(layout.rows.items()):
        if chosen:
            canvas.put(0, y + line, "▌", Role.SELECTED)
        canvas.put(2 + names, y + line, name, Role.TEXT if chosen else Role.DIM)
        if layers:
            paint_row(canvas, y + line, lane, layers, axis, view.now, view.run, view.new_marks_ns)
        else:
            links.paint_links(canvas, y + line, lane, axis)
    label = fit(f"{index + 1} {plain(lane.name)}", names - 1)
    canvas.put(1, y, label, Role.STRONG)
    _paint_plan(canvas, y + 1, lane, view, names, len(layout.rows) - 1)


def _paint_plan(canvas: Canvas, y: int, lane: LaneState, view: View, names: int, rows: int) -> None:
    """Under a lane's name, where there is room: phase, behaviour, verdict."""
    if names < 16:
        return
    budget = [f"{'no limit' if left is None else figure(left)} left" for _, left, _ in lane.budgets[-1:]]
    lines: Sequence[str] = (lane.phase or lane.plan.phase, *budget, lane.plan.behaviour, verdict(lane, view.now))
    for line, text in enumerate(lines[:rows]):
        canvas.put(3, y + line, fit(plain(text), names - 3), Role.DIM)
