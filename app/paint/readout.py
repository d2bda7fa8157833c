"""What the cursors say, in lines under the timeline: when, where, by what, how sure, and what came before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.paint.canvas import Canvas, Role
from app.paint.lens import Pin
from app.paint.marks import GLYPHS, ROLES, TIE, short
from app.paint.pages import Line
from app.paint.rows import zero_of
from app.paint.text import fit, plain, width
from app.paint.threads import thread_of
from app.paint.units import exact, figure
from app.paint.view import View
from probes.causes import Knot, Thread
from probes.moments import Spot, before, doubt, spots, tie
from probes.state import LaneState, Mark
from probes.verdict import seen

_GAP = "  "


def lines(view: View, room: int) -> list[Line]:
    """For a cursor its mark, then what is asked of it; none where there is no cursor. ``room``: cells of a line."""
    cursor = view.lens.cursor
    if cursor is None or not cursor.shown(view.run):
        return []
    return [_pinned("A", cursor, view), *_second(cursor, view), *_why(view, room)] + (
        [] if view.lens.why or view.lens.second is not None else [_before(cursor, view)]
    )


def paint_readout(canvas: Canvas, said: Sequence[Line], view: View, columns: int) -> None:
    """The lines at the bottom; what the pointer is on stands in the first of them, or over the last row."""
    top = canvas.rows - len(said)
    for y, line in enumerate(said, start=top):
        _paint_line(canvas, y, line, columns)
    pointed = view.lens.hover
    if pointed is not None and pointed.shown(view.run) and pointed.moment is not None:
        _paint_line(canvas, min(top, canvas.rows - 1), _pinned("?", pointed, view), columns)


def _paint_line(canvas: Canvas, y: int, line: Line, columns: int) -> None:
    canvas.fill(0, columns, y, " ", Role.TEXT)
    x = 1
    for text, role in line:
        x = canvas.put(x, y, fit(text, columns - x), role)


def _pinned(name: str, pin: Pin, view: View) -> Line:
    lane, mark = view.run.lanes[pin.lane], pin.mark(view.run)
    zero = lane.zero or view.run.zero
    head = [(f" {name} ", Role.LIT_TEXT), (" ", Role.TEXT)]
    when: Line = (
        [] if zero is None else [(exact(pin.t - zero.t), Role.STRONG), (f" after {plain(zero.cause)}", Role.DIM)]
    )
    where = [(f"{_GAP}{plain(lane.name)} {pin.layer}", Role.TEXT)]
    if mark is None:
        return [*head, *when, *where, (f"{_GAP}no mark here", Role.DIM)]
    role = ROLES[mark.moment]
    known = seen(lane, pin.layer, mark)
    claimed = "" if known else "says "
    return [
        *head,
        (f"{GLYPHS[mark.moment][not known]} ", role),
        *when,
        *where,
        (f"{_GAP}{_stamp(mark)}", Role.DIM),
        (f"{_GAP}{claimed}{short(mark.evidence)}", role),
    ]


def _stamp(mark: Mark) -> str:
    return f"{mark.stamp} ±{figure(mark.err)}" if mark.err else f"{mark.stamp} stamp"


def _spot(pin: Pin, view: View) -> Spot | None:
    mark = pin.mark(view.run)
    return None if mark is None else Spot(pin.lane, pin.layer, mark)


# --- what came before -----------------------------------------------------------------------------------


def _before(cursor: Pin, view: View) -> Line:
    spot = _spot(cursor, view)
    earlier = None if spot is None else before(spot, spots(view.run))
    if spot is None or earlier is None:
        return [("    the first moment" if spot else "", Role.DIM)]
    apart = exact(spot.mark.t - earlier.mark.t)
    one, other = (earlier.layer, earlier.mark), (spot.layer, spot.mark)
    tap = view.session.tap_p95_ns or 0
    lane = "" if earlier.lane == spot.lane else f"{plain(view.run.lanes[earlier.lane].name)} "
    named = [*_knot((earlier.layer, earlier.mark), view.run.lanes[earlier.lane], lane)]
    if earlier.lane == spot.lane and tie(one, other, tap):
        known = f": {apart} apart, known to {figure(doubt(one, other, tap))}"
        return [(f"  {TIE} tie", Role.STRONG), (" with ", Role.DIM), *named, (known, Role.DIM)]
    return [("    ", Role.DIM), (apart, Role.STRONG), (" after ", Role.DIM), *named]


def _knot(knot: Knot, lane: LaneState, name: str = "") -> Iterator[tuple[str, Role]]:
    layer, mark = knot
    yield f"{GLYPHS[mark.moment][not seen(lane, layer, mark)]} ", ROLES[mark.moment]
    yield f"{name}{layer} ", Role.TEXT
    yield short(mark.evidence), ROLES[mark.moment]


# --- the second cursor ----------------------------------------------------------------------------------


def _second(cursor: Pin, view: View) -> list[Line]:
    """Where it stands, and how far the first one is from it."""
    pin = view.lens.second
    if pin is None or not pin.shown(view.run):
        return []
    zeros = [zero_of(view.run.lanes[each.lane], view.run) for each in (cursor, pin)]
    at = [each.t - (zero or 0) for each, zero in zip((cursor, pin), zeros, strict=True)]
    one, other = _spot(cursor, view), _spot(pin, view)
    tied = (
        one is not None
        and other is not None
        and one != other
        and tie((one.layer, one.mark), (other.layer, other.mark), view.session.tap_p95_ns or 0)
    )
    apart = f"A-B {exact(at[0] - at[1])}"
    return [[(f" {apart} ", Role.LIT_DONE), (f" {TIE} tie" if tied else "", Role.STRONG), *_pinned("B", pin, view)]]


# --- why ------------------------------------------------------------------------------------------------


def _why(view: View, room: int) -> list[Line]:
    """The thread in words: from the mark back to the trigger; then where the news went no further."""
    found, cursor = thread_of(view), view.lens.cursor
    if found is None or cursor is None:
        return []
    lane = view.run.lanes[cursor.lane]
    line: list[tuple[str, Role]] = [("   because of ", Role.DIM)]
    for number, knot in enumerate(found.knots[1:]):
        line += [(" ‹ " if number else "", Role.DIM), *_knot(knot, lane)]
    line += [(" ‹ " if len(found.knots) > 1 else "", Role.DIM), (plain(found.end), _end_role(found))]
    if sum(width(text) for text, _ in line) > room:
        line = _in_brief(found, lane)
    return [line, *_stops(found)]


def _end_role(found: Thread) -> Role:
    return Role.ZERO if found.whole else Role.ALERT


def _in_brief(found: Thread, lane: LaneState) -> list[tuple[str, Role]]:
    """Layers alone, where there is no room for their evidence."""
    line: list[tuple[str, Role]] = [("   because of ", Role.DIM)]
    for layer, mark in found.knots[1:]:
        line += [
            (f"{GLYPHS[mark.moment][not seen(lane, layer, mark)]} ", ROLES[mark.moment]),
            (layer, Role.TEXT),
            (" ‹ ", Role.DIM),
        ]
    return [*line, (plain(found.end), _end_role(found))]


def _stops(found: Thread) -> list[Line]:
    if found.stops is None:
        return []
    return [[("   × ", Role.ALERT), ("the news went no further: ", Role.DIM), (plain(found.stops[1]), Role.ALERT)]]
