"""One row of the timeline: the bar of what runs, what became of it, and the marks with their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from app.paint.axis import Axis
from app.paint.canvas import Canvas, Role
from app.paint.density import paint_density
from app.paint.marks import SEPARATOR, Placed, Shown, draw, place, short
from app.paint.text import first_that_fits, fit, plain, width
from app.paint.units import lasted, residue_text, size
from probes.events import Layer
from probes.moments import ties
from probes.state import LaneState, LayerState, Mark, Moment, RunState
from probes.verdict import Zombie, interrupt, seen, zombie

BAR, WIRE, ZOMBIE, FAULT = "━", "┅", "▒", "×"
_SHORTEST = 6
"""Nothing is said in fewer cells than this."""


class _Row(NamedTuple):
    """Where a row is drawn, and of what."""

    canvas: Canvas
    y: int
    lane: LaneState
    axis: Axis
    now: int
    settle_ns: int
    tap_ns: int
    zero: int | None
    """The lane's own zero, or else the scope's; None while nothing was triggered."""

    def at(self, t: int) -> int:
        """ns after the trigger; before there is one, now stands for it."""
        return min(t - self.now, -1) if self.zero is None else t - self.zero

    def column(self, t: int) -> int:
        return self.axis.column(self.at(t))

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The columns from ``first`` to ``last`` (ns), the second one behind them; none where all of it is beyond one
        end."""
        if self.axis.side(self.at(first)) * self.axis.side(self.at(last)) > 0:
            return self.axis.left, self.axis.left
        return self.column(first), self.column(last) + 1

    @property
    def start(self) -> int:
        """The first column in which an answer can be."""
        return max(self.axis.zero, self.axis.left - 1)

    @property
    def settled(self) -> bool:
        """Nothing more can come as an answer to the cancel."""
        lane = self.lane
        if lane.zero is None:
            return False
        return lane.teardown is not None or self.now - lane.zero.t >= self.settle_ns


class Frame(NamedTuple):
    """What all rows of a frame have in common. ``flash_ns``: for how long a mark is new; ``tap_ns``: how far apart two
    marks must be for their order to be known."""

    axis: Axis
    now: int
    run: RunState
    flash_ns: int = 0
    tap_ns: int = 0


def paint_row(canvas: Canvas, y: int, lane: LaneState, layers: Sequence[Layer], frame: Frame) -> list[Placed]:
    """The row that ``layers`` share, the last of them giving it its bar. Returns where its marks are."""
    axis, now, run = frame.axis, frame.now, frame.run
    row = _Row(canvas, y, lane, axis, now, round(run.settle * 1e9), frame.tap_ns, zero_of(lane, run))
    main = lane.layer(layers[-1] if layers[-1] != "resource" or len(layers) == 1 else layers[0])
    dead = zombie(lane, now) if "server" in layers else Zombie()
    _bar(row, main, dead)
    if main.layer == "wire":
        paint_density(canvas, y, lane, axis, row.zero, now)
    if row.zero is None:
        _while_armed(row, main)
        return []
    marks = sorted(_marks(row, layers), key=lambda shown: shown.mark.t)
    if frame.flash_ns:
        marks = [shown._replace(fresh=now - shown.mark.t < frame.flash_ns) for shown in marks]
    if main.layer == "wire":
        _faults(row)
    placed = place(marks, axis, row.zero)
    draw(canvas, y, placed, axis)
    _aftermath(row, main, dead, bool(lane.layer(main.layer).marks))
    return placed


def zero_of(lane: LaneState, run: RunState) -> int | None:
    zero = lane.zero or run.zero
    return None if zero is None else zero.t


def _marks(row: _Row, layers: Sequence[Layer]) -> list[Shown]:
    lane, tied = row.lane, ties(row.lane, row.tap_ns)
    marks = [
        Shown(mark, layer, seen(lane, layer, mark), tied=other.t if (other := tied.get((layer, mark))) else None)
        for layer in layers
        for mark in lane.layer(layer).marks
    ]
    if "caller" in layers and len(layers) > 1:
        # Two layers in one row: the client's words are worth more than the caller's.
        marks = [
            each._replace(mark=replace(each.mark, evidence="")) if each.layer == "caller" else each for each in marks
        ]
    if lane.zero is not None and lane.zero.own and "caller" in layers:
        marks.insert(0, Shown(Mark(Moment.DONE, lane.zero.t, 0, lane.zero.cause), trigger=True))
    return marks


# --- the bar ------------------------------------------------------------------------------------------


def _bar(row: _Row, main: LayerState, dead: Zombie) -> None:
    if main.started is None:
        return
    told = _told(row, main, dead)
    start, end = row.span(main.started, told)
    zero = row.axis.zero
    char = WIRE if main.layer == "wire" else BAR
    if row.axis.left < end < row.axis.right and told < row.now:
        end -= 1
    row.canvas.fill(start, end, row.y, char, Role.RUNNING)
    if main.first(Moment.DONE) is not None and (over := _over(row, main)) > told:
        # It knows and is not through yet: a handler in its finally, a task that ends.
        row.canvas.fill(*row.span(told, over), row.y, char, Role.DONE)
    if row.zero is not None and row.axis.left <= zero < row.axis.right and start <= zero < row.column(told):
        row.canvas.put(zero, row.y, "┿" if main.layer != "wire" else "┼", Role.ZERO)


def _over(row: _Row, main: LayerState) -> int:
    """When there was nothing left to do: the end of the work, or its cleanup after that."""
    if main.ended is None:
        return row.now
    cleaned = main.last(Moment.CLEANUP)
    return main.ended if cleaned is None else max(main.ended, cleaned.t)


def _told(row: _Row, main: LayerState, dead: Zombie) -> int:
    """Until when the row keeps its running colour."""
    if dead.since is not None:
        return dead.since
    done = main.first(Moment.DONE)
    if done is not None:
        return done.t
    if main.layer == "wire" and main.outcome != "completed" and row.settled and interrupt(row.lane) is None:
        return row.zero or row.now
    return row.now if main.ended is None else min(main.ended, row.now)


# --- what the tap did ---------------------------------------------------------------------------------


def _faults(row: _Row) -> None:
    """Where a fault stands the row is crossed out, and its kind is named if there is room behind the trigger."""
    for fault in row.lane.faults:
        start, end = row.span(fault.since, row.now if fault.until is None else fault.until)
        for x in range(start, end, 2):
            row.canvas.put(x, row.y, FAULT, Role.ALERT)
        x = max(start, row.start) + 2
        words = f" {short(f'{fault.kind} {fault.direction}').strip()} "
        if row.zero is not None and x + width(words) + 2 < end:
            row.canvas.put(x, row.y, words, Role.ALERT)


def _standing(lane: LaneState) -> str:
    """The faults that stand, in a few words."""
    kinds = [short(f"{fault.kind} {fault.direction}").strip() for fault in lane.faults if fault.until is None]
    return plain(", ".join(kinds))


# --- what became of it --------------------------------------------------------------------------------


def _aftermath(row: _Row, main: LayerState, dead: Zombie, marked: bool) -> None:
    if dead.since is not None and dead.ns:
        _zombie(row, dead)
    elif main.layer == "wire" and not marked and row.settled:
        _nothing_seen(row, main)
    elif main.layer == "resource" and not marked and row.lane.teardown is not None:
        _held(row)
    elif not marked and main.outcome and main.ended is not None:
        x = max(row.column(main.ended), row.start) + 2
        row.canvas.put(x, row.y, fit(main.outcome, row.axis.right - x), Role.DIM)


def _zombie(row: _Row, dead: Zombie) -> None:
    assert dead.since is not None
    start, end = row.span(dead.since, row.now if dead.until is None else dead.until)
    if start == end:
        return
    row.canvas.fill(start, end, row.y, ZOMBIE, Role.ZOMBIE)
    age = f"zombie {lasted(dead.ns, cut=dead.cut)}"
    texts = (f"{age}, {size(dead.size)} sent to nobody", f"{age}, {size(dead.size)}", age, "zombie")
    if not dead.size:
        texts = (age, age, age, "zombie")
    text = first_that_fits(max(6, end - start - 4), *texts)
    if end - start >= width(text) + 4:
        row.canvas.put(start + 2, row.y, f" {text} ", Role.ZOMBIE)
    else:
        room = row.axis.right - end - 1
        row.canvas.put(end + 1, row.y, fit(texts[0], room), Role.ALERT)


def _nothing_seen(row: _Row, main: LayerState) -> None:
    """The wire's own result: no frame and no packet told anybody to stop."""
    if main.outcome == "completed":
        row.canvas.put(row.column(main.ended or row.now) + 2, row.y, "response complete", Role.DIM)
        return
    assert row.zero is not None
    if main.ended is not None and main.ended <= row.zero:
        # It was over before anybody was to be told.
        row.canvas.put(row.start + 2, row.y, main.outcome or "ended", Role.DIM)
        return
    start, end = row.span(row.zero, row.lane.teardown or row.now)
    start, end = max(start, row.start + 1), end - 1
    row.canvas.fill(start, end, row.y, WIRE, Role.DIM)
    paint_density(row.canvas, row.y, row.lane, row.axis, row.zero, row.now)
    _faults(row)
    late = f", {size(row.lane.late_bytes)} still passed" if row.lane.late_bytes else ""
    text = first_that_fits(end - start - 4, f"nothing seen{late}", "nothing seen")
    if end - start > _SHORTEST:
        # At the left: what still passed stands right of it.
        row.canvas.put(start + min(3, max(1, end - start - width(text) - 2)), row.y, f" {text} ", Role.STRONG)


def _held(row: _Row) -> None:
    held = residue_text(row.lane.residue)
    text = f"still held: {held}" if held else "no cleanup seen"
    x = row.column(row.lane.teardown or row.now) + 1
    room = row.axis.right - x - 1
    if width(text) > room:
        x = max(row.start + 2, row.axis.right - width(text) - 2)
        room = row.axis.right - x - 1
    row.canvas.put(x, row.y, f" {fit(text, room)} ", Role.ALERT)


def _while_armed(row: _Row, main: LayerState) -> None:
    """No trigger yet: what is going on stands where the answer will be."""
    x = row.start + 3
    text = _going_on(row.lane, main)
    x = row.canvas.put(x, row.y, fit(text, row.axis.right - x), Role.DIM) + 2
    if main.layer == "wire":
        _faults(row)
        if (stands := _standing(row.lane)) and x < row.axis.right:
            row.canvas.put(x, row.y, fit(f"{FAULT} {stands}", row.axis.right - x), Role.ALERT)


def _going_on(lane: LaneState, main: LayerState) -> str:
    chunks = lane.chunks
    if main.ended is not None:
        return main.outcome or "ended"
    if main.started is None and main.layer != "wire":
        return ""
    match main.layer:
        case "caller":
            return f"in {plain(lane.phase)}" if lane.phase else "getting there"
        case "client":
            return f"{chunks.read} read" if chunks.read else "awaiting"
        case "wire":
            # A connection that an earlier run opened is not named: this run has not seen it open.
            conns = [f"connection {', '.join(map(str, lane.conns))}"] if lane.conns else []
            whole = [] if chunks.on_wire is None else [f"{chunks.on_wire} passed"]
            passed = [*whole, size(lane.body)] if lane.body else ["no body yet"]
            return SEPARATOR.join(passed + conns)
        case "server":
            return "" if chunks.accepted is None else f"{chunks.accepted} accepted"
        case _:
            return "held"
