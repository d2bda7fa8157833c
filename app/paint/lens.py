"""How the timeline is looked at: its timebase, its window, its cursors. A frozen value, changed by pure functions.

Times on the axis are ns after the trigger; a cursor's are the events' own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from probes.events import Layer
from probes.moments import Spot
from probes.state import Mark, Moment, RunState

STEPS: tuple[int, ...] = (*(step * 10**power for power in range(4, 9) for step in (1, 2, 5)), 10**9)
"""The timebase, ns a division: 10 us to 1 s."""

CELLS = 10
"""Columns a division."""

FIRST_NS, DECADES = 10_000, 6
"""The logarithmic axis at its widest: so many decades from 10 us on."""
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a cursor stands: on a mark of a run, or, with no ``moment``, at a time in a row."""

    run: int
    lane: int
    layer: Layer
    t: int
    moment: Moment | None = None

    def mark(self, run: RunState) -> Mark | None:
        """The mark that it stands on."""
        if self.moment is None or not self.shown(run):
            return None
        row = run.lanes[self.lane].layer(self.layer)
        return next((mark for mark in row.marks if mark.moment is self.moment and mark.t == self.t), None)

    def shown(self, run: RunState) -> bool:
        """Whether it belongs to this run."""
        return self.run == run.run and self.lane < len(run.lanes)


@dataclass(frozen=True, slots=True)
class Lens:
    """``per_div`` and ``start``: ns a division of a linear axis, and the time at its first column; ``first`` and
    ``decades``: of a logarithmic one. ``why``: whether the thread from the cursor's mark to its cause is drawn."""

    mode: Literal["log", "linear"] = "log"
    per_div: int = 200_000
    start: int = -200_000
    first: int = FIRST_NS
    decades: int = DECADES
    follow: bool = True
    """Whether a linear axis goes along with now while a run is open."""
    cursor: Pin | None = None
    second: Pin | None = None
    hover: Pin | None = None
    """What the pointer is on."""
    why: bool = False

    @property
    def linear(self) -> bool:
        return self.mode == "linear"

    @property
    def cell(self) -> int:
        """ns a column of a linear axis."""
        return self.per_div // CELLS


WIDEST = Lens()
"""The logarithmic axis with all its decades, and no cursor."""

# --- the timebase ---------------------------------------------------------------------------------------


def switched(lens: Lens, until: int, columns: int) -> Lens:
    """The other axis. ``until``: the last mark (ns after the trigger), 0 where there is none yet; a linear axis begins
    with them all, or as it was. ``columns``: its width."""
    other = replace(lens, mode="log" if lens.linear else "linear")
    return fitted(other, until, columns) if other.linear and until > 0 else other


def fitted(lens: Lens, until: int, columns: int) -> Lens:
    """All of it: from the trigger to ``until``."""
    if not lens.linear:
        reach = next((n for n in range(_FEWEST, DECADES) if FIRST_NS * 10**n >= until), DECADES)
        return replace(lens, first=FIRST_NS, decades=reach)
    room = max(1, columns // CELLS - 1)
    # The last column ends before its own end: what stands exactly there would be outside.
    step = next((step for step in STEPS if step * room > until), STEPS[-1])
    return replace(lens, per_div=step, start=-step, follow=True)


def zoomed(lens: Lens, direction: int, at: int, columns: int) -> Lens:
    """A step closer (1) or further away (-1): ``at`` (ns after the trigger) stays where it is."""
    if not lens.linear:
        decades = min(max(lens.decades - direction, _FEWEST), DECADES)
        return _within(replace(lens, decades=decades))
    index = min(max(STEPS.index(lens.per_div) - direction, 0), len(STEPS) - 1)
    step = STEPS[index]
    inside = lens.start <= at < lens.start + lens.cell * columns
    share = (at - lens.start) / lens.per_div if inside else columns / CELLS / 2
    # Without a cursor it is the trigger that stays, and a view that goes along with now still does.
    return replace(lens, per_div=step, start=_whole(at - round(share * step), step), follow=lens.follow and not at)


def panned(lens: Lens, divisions: float) -> Lens:
    """The window moved by so many divisions to the right."""
    if not lens.linear:
        return _within(replace(lens, first=lens.first * 10 if divisions > 0 else lens.first // 10))
    return replace(lens, start=_whole(lens.start + round(divisions * lens.per_div), lens.per_div), follow=False)


def showing(lens: Lens, at: int, columns: int) -> Lens:
    """The window moved so far that ``at`` (ns after the trigger) is in it."""
    if not lens.linear:
        inside = at < lens.first * 10**lens.decades
        return lens if inside else _within(replace(lens, decades=next_decades(lens, at)))
    span = lens.cell * columns
    if lens.start <= at < lens.start + span:
        return lens
    return replace(lens, start=_whole(at - span // 2, lens.per_div), follow=False)


def next_decades(lens: Lens, at: int) -> int:
    """Decades that reach up to ``at``."""
    return next((n for n in range(lens.decades, DECADES) if lens.first * 10**n > at), DECADES)


def _within(lens: Lens) -> Lens:
    """No logarithmic window is beyond the widest."""
    last = FIRST_NS * 10 ** (DECADES - lens.decades)
    return replace(lens, first=min(max(lens.first, FIRST_NS), last))


def _whole(start: int, per_div: int) -> int:
    """The start of a column, so that the graticule falls on columns."""
    cell = per_div // CELLS
    return start // cell * cell


# --- cursors --------------------------------------------------------------------------------------------


def pin(run: RunState, spot: Spot) -> Pin:
    return Pin(run.run, spot.lane, spot.layer, spot.mark.t, spot.mark.moment)


def stepped(lens: Lens, run: RunState, spots: list[Spot], direction: int) -> Lens:
    """The cursor on the next (1) or the previous (-1) moment; the first time on the first or the last one."""
    if not spots:
        return lens
    cursor = lens.cursor
    if cursor is None or not cursor.shown(run):
        return replace(lens, cursor=pin(run, spots[0 if direction > 0 else -1]))
    at = next((index for index, spot in enumerate(spots) if pin(run, spot) == cursor), None)
    if at is None:
        # It stands on no mark: the nearest one on that side.
        later = sum(spot.mark.t <= cursor.t for spot in spots)
        at = later - 1 if direction > 0 else sum(spot.mark.t < cursor.t for spot in spots)
    return replace(lens, cursor=pin(run, spots[min(max(at + direction, 0), len(spots) - 1)]))


def at_time(lens: Lens, run: RunState, spots: list[Spot], t: int) -> Lens:
    """The cursor on the last moment that is not after ``t`` (ns): where a playhead stands."""
    reached = [spot for spot in spots if spot.mark.t <= t]
    return replace(lens, cursor=pin(run, reached[-1]) if reached else None)


def paired(lens: Lens) -> Lens:
    """The second cursor where the first one is; or none, where there was one."""
    return replace(lens, second=None if lens.second is not None else lens.cursor)
