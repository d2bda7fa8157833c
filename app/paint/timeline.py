"""The timeline: lanes by layers over one axis, zero at the trigger of each lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.paint import cursors, ghost, links, readout, starting, threads
from app.paint.axis import Axis, LinearAxis, LogAxis
from app.paint.canvas import Canvas, Role
from app.paint.lens import CELLS
from app.paint.marks import TRIGGER
from app.paint.rows import Frame, paint_row, zero_of
from app.paint.scene import Scene, Slot
from app.paint.text import fit, plain, width
from app.paint.units import figure, seconds
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


def axis_of(view: View, left: int, columns: int) -> Axis:
    """The axis that the lens asks for. Of a logarithmic one the linear stretch stands for the longest time from the
    run's start to a trigger (or to now); a linear one goes along with now while the run is open."""
    run, lens = view.run, view.lens
    found = [zero for lane in run.lanes if (zero := zero_of(lane, run)) is not None]
    if not lens.linear:
        zeros = found if len(found) == len(run.lanes) else [*found, view.now]
        return LogAxis.over(
            left, columns, max(zeros, default=view.now) - (run.started or view.now), lens.first, lens.decades
        )
    start, span = lens.start, lens.per_div * (columns - left) // CELLS
    if lens.follow and run.open:
        start = -span * 3 // 5 if not found else max(start, view.now - min(found) - span * 9 // 10)
    return LinearAxis(left, columns, lens.per_div, start // lens.cell * lens.cell)


def axis_in(view: View, columns: int) -> Axis:
    """The axis of a timeline that is ``columns`` wide."""
    return axis_of(view, 2 + label_width(columns, view.run) + 9, columns - 1)


def last_mark(view: View) -> int:
    """The time of the last mark of any lane, ns after its trigger; 0 where there is none."""
    found = [
        mark.t - zero
        for lane in view.run.lanes
        if (zero := zero_of(lane, view.run)) is not None
        for row in lane.layers
        for mark in row.marks
    ]
    return max(found, default=0)


def extent(view: View) -> int:
    """The last time, ns after its trigger, at which there is something to see on any lane: a mark, or work that goes
    on."""
    ends = [last_mark(view)]
    for lane in view.run.lanes:
        zero = zero_of(lane, view.run)
        if zero is not None:
            ends += [min(row.ended or view.now, view.now) - zero for row in lane.layers if row.started]
    return max(ends)


def label_width(columns: int, run: RunState) -> int:
    """Columns for the lane's number and name."""
    longest = max((width(plain(lane.name)) for lane in run.lanes), default=8)
    return min(longest + 3, 13) + (6 if columns >= 130 else 0)


def paint_timeline(view: View, columns: int, rows: int) -> Canvas:
    """The lanes; before the first run what the lab is doing, and what to press."""
    return scene(view, columns, rows).canvas


def scene(view: View, columns: int, rows: int) -> Scene:
    """The same, with what is where in it."""
    if view.run.started is None:
        return Scene(starting.paint_starting(view, columns, rows))
    canvas = Canvas(columns, rows)
    names = label_width(columns, view.run)
    axis = axis_in(view, columns)
    _paint_header(canvas, view, axis)
    folds = _folds(view.run)
    said = readout.lines(view, columns - 2)
    said = said[: max(0, rows - 1 - len(folds[-1]) * min(1, len(view.run.lanes)))]
    layout = plan(len(view.run.lanes), rows - 1 - len(said), view.selected, folds)
    _paint_grid(canvas, 1, axis)
    canvas.repeat(1)
    made, y = Scene(canvas, axis), 1
    frame = Frame(axis, view.now, view.run, view.new_marks_ns, view.session.tap_p95_ns or 0)
    for index in range(layout.first, layout.first + layout.count):
        _paint_lane(made, y, view, index, frame, layout, names)
        y += layout.height
    ghost.paint_ghosts(made, view)
    threads.paint_thread(made, view)
    cursors.paint_cursors(made, view)
    readout.paint_readout(canvas, said, view, columns)
    return made


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


def timebase(view: View) -> str:
    """As an oscilloscope says it."""
    lens = view.lens
    return f"{seconds(lens.per_div / 1e9)}/div" if lens.linear else "log axis"


def _paint_header(canvas: Canvas, view: View, axis: Axis) -> None:
    zero = view.run.zero
    for column, label in axis.ticks():
        canvas.put(min(column, axis.right - len(label)), 0, label, Role.DIM)
    left = canvas.put(1, 0, timebase(view), Role.STRONG if view.lens.linear else Role.DIM) + 1
    if zero is not None:
        text = f"{plain(zero.cause)} {TRIGGER}"
    elif any(lane.zero for lane in view.run.lanes):
        text = f"each its own {TRIGGER}"
    elif view.run.ended is None:
        text = f"armed {figure(view.now - (view.run.started or view.now))}"
    else:
        text = "no trigger"
    if axis.left <= axis.zero < axis.right:
        canvas.right(axis.zero + 1, 0, fit(text, axis.zero + 1 - left), Role.ZERO)
    elif axis.zero < axis.left:
        canvas.put(left, 0, fit(f"‹ {text}", axis.left - left - 1), Role.ZERO)


def _paint_grid(canvas: Canvas, y: int, axis: Axis) -> None:
    for column, _ in axis.ticks():
        canvas.put(column, y, "┊", Role.FAINT)
    if axis.left <= axis.zero < axis.right:
        canvas.put(axis.zero, y, "│", Role.ZERO)


def _paint_lane(made: Scene, y: int, view: View, index: int, frame: Frame, layout: Plan, names: int) -> None:
    canvas, lane = made.canvas, view.run.lanes[index]
    chosen = index == view.selected
    for line, (name, layers) in enumerate(layout.rows.items()):
        if chosen:
            canvas.put(0, y + line, "▌", Role.SELECTED)
        canvas.put(2 + names, y + line, name, Role.TEXT if chosen else Role.DIM)
        made.slots.append(Slot(y + line, index, layers))
        if layers:
            made.take(y + line, index, paint_row(canvas, y + line, lane, layers, frame))
        else:
            links.paint_links(canvas, y + line, lane, frame.axis)
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
