"""The machine on the whole screen: every lane in a line, and of the selected one what its pair of sides amounts to, the
graph of each side, its chunks, and what the table does not allow."""

from __future__ import annotations

from dataclasses import dataclass

from app.paint import machine
from app.paint.across import NARROW, height, paint_across
from app.paint.canvas import Canvas, Role
from app.paint.graph import CHAIN, ROLES, sides
from app.paint.pair import pair
from app.paint.scoreboard import VERDICTS
from app.paint.text import first_that_fits, fit, plain
from app.paint.view import View
from probes.state import LaneState
from probes.verdict import verdict, violations, zombie

_BARS, _GAPS = 4, 4
_LEGEND = "heavy: the way it went, [ ]: where it is"


def title(view: View, rows: int) -> tuple[str, str]:
    left, _ = machine.title(view, rows)
    if view.playback is not None and (view.playback.slow or view.playback.skipped):
        return left, view.playback.words
    return left, _LEGEND


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the rows are shared out. ``lanes``: lines of the list; ``gaps``: empty rows between its parts."""

    lanes: int
    gaps: int
    bars: bool
    spread: bool


def _plan(view: View, rows: int) -> _Plan:
    """The richest that fits: first all lanes, then gaps, then bars, then graphs that have room."""
    lane = view.lane
    wrong = 0 if lane is None else violations(lane)
    least = 1 + 1 + 2 * height(spread=False) + 1 + min(wrong, 2)
    lanes = max(1, min(len(view.lanes), rows - least))
    left = rows - least - lanes
    gaps = max(0, min(_GAPS, left))
    bars = left - gaps >= _BARS - 1
    spread = left - gaps - (_BARS - 1) * bars >= 2 * (height(spread=True) - height(spread=False))
    return _Plan(lanes, gaps, bars, spread)


def ideal(view: View) -> int:
    """Rows with which everything is there."""
    wrong = 0 if view.lane is None else violations(view.lane)
    return len(view.lanes) + 2 + 2 * height(spread=True) + _GAPS + _BARS + min(wrong, 2)


def paint_stage(view: View, columns: int, rows: int) -> Canvas:
    """Where there is no room for two graphs, what the panel at the side shows."""
    lane = view.lane
    if lane is None or columns < NARROW or rows < 2 * height(spread=False) + 4:
        return machine.paint_machine(view, columns, rows)
    canvas, plan = Canvas(columns, rows), _plan(view, rows)
    y = _paint_list(canvas, view, plan.lanes) + (plan.gaps > 0)
    _paint_pair(canvas, y, lane, view)
    y += 1 + (plan.gaps > 3)
    client, server = sides(lane, view)
    y = paint_across(canvas, y, client, spread=plan.spread) + (plan.gaps > 1)
    y = paint_across(canvas, y, server, spread=plan.spread) + (plan.gaps > 2)
    y = machine.paint_bars(canvas, y, lane) if plan.bars else machine.paint_counts(canvas, y, lane)
    machine.paint_violations(canvas, y, lane)
    return canvas


# --- every lane ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the columns of the list begin; the chunks' end at ``chunks``."""

    client: int
    server: int
    chunks: tuple[int, int, int]
    verdict: int


def _columns(columns: int) -> _Columns:
    more = max(0, min(6, (columns - NARROW) // 7))
    client = 14 + more
    server = client + 12 + more
    accepted = server + 21 + more
    return _Columns(client, server, (accepted, accepted + 8 + more, accepted + 14 + 2 * more), accepted + 16 + 3 * more)


def _paint_list(canvas: Canvas, view: View, count: int) -> int:
    places = _columns(canvas.columns)
    for x, text in ((places.client, "client"), (places.server, "server"), (places.verdict, "verdict")):
        canvas.put(x, 0, text, Role.DIM)
    for x, text in zip(places.chunks, ("accepted", "on wire", "read"), strict=True):
        canvas.right(x, 0, text, Role.DIM)
    first = max(0, min(view.selected - count + 1, len(view.lanes) - count))
    for y, lane in enumerate(view.lanes[first : first + count], start=1):
        _paint_lane(canvas, y, first + y, lane, view, places)
    return count + 1


def _paint_lane(canvas: Canvas, y: int, number: int, lane: LaneState, view: View, places: _Columns) -> None:
    if number - 1 == view.selected:
        canvas.put(0, y, "▌", Role.SELECTED)
    canvas.put(1, y, fit(f"{number} {plain(lane.name)}", places.client - 2), Role.STRONG)
    canvas.put(places.client, y, lane.client.state, ROLES[lane.client.state])
    undead = zombie(lane, view.now).ns and lane.server.state in CHAIN
    canvas.put(places.server, y, lane.server.state, Role.ALERT if undead else ROLES[lane.server.state])
    chunks = lane.chunks
    for x, count in zip(places.chunks, (chunks.accepted, chunks.on_wire, chunks.read), strict=True):
        canvas.right(x, y, "?" if count is None else str(count), Role.TEXT)
    if view.run.started is None:
        return
    word = verdict(lane, view.now)
    x = canvas.put(places.verdict, y, fit(word, canvas.columns - places.verdict), VERDICTS[word]) + 2
    if wrong := violations(lane):
        text = first_that_fits(canvas.columns - x, machine.violation_count(wrong), f"!{wrong}")
        canvas.put(x, y, text, Role.ALERT)


def _paint_pair(canvas: Canvas, y: int, lane: LaneState, view: View) -> None:
    """The joint verdict, and why."""
    if view.run.started is None:
        canvas.put(0, y, fit("▌no run yet", canvas.columns), Role.DIM)
        return
    word, states, why = pair(lane, view.now)
    x = canvas.put(0, y, f"▌{word}", VERDICTS[word]) + 2
    canvas.put(x, y, first_that_fits(canvas.columns - x, f"{states}: {why}", why), Role.STRONG)
