"""The state machine of a partial response, in a panel: where both sides of every lane stand, and one lane's graph."""

from __future__ import annotations

from collections.abc import Sequence

from app.paint.canvas import Canvas, Role
from app.paint.down import NARROW, height, paint_down
from app.paint.graph import CHAIN, ENDS, ROLES, Side, node_role, sides
from app.paint.text import first_that_fits, fit, plain
from app.paint.units import figure
from app.paint.view import View
from probes.machine import State
from probes.state import LaneState
from probes.verdict import zombie

_JOINED = {"│": "├", "┤": "┼", "┘": "┴", "┐": "┬"}
"""A line that also goes to the right."""
_COUNTERS = 4
_WIDEST = 60
"""Cells of the longest bar."""


def title(view: View, _rows: int) -> tuple[str, str]:
    lane = view.lane
    return ("machine", "") if lane is None else (f"machine · {view.selected + 1} {plain(lane.name)}", "")


def paint_machine(view: View, columns: int, rows: int) -> Canvas:
    """List, graph, counters and path, in that order of what goes first when rows are scarce: path, the words at the
    steps, list, gaps, and of the graph its lines."""
    canvas = Canvas(columns, rows)
    lanes, lane = view.lanes, view.lane
    if lane is None:
        return canvas
    listed = len(lanes) + 2
    whole = columns >= NARROW and rows >= height(labels=False) + _COUNTERS
    least = height(labels=False) if whole else len(CHAIN)
    y = _paint_list(canvas, view) if rows >= listed + least + _COUNTERS + 1 else 0
    of = sides(lane, view)
    if whole:
        y = paint_down(canvas, y, of, labels=rows - y >= height(labels=True) + _COUNTERS + 1)
    else:
        y = _paint_dense(canvas, y, of)
    y = paint_violations(canvas, paint_bars(canvas, y + (rows - y > _COUNTERS), lane), lane)
    _paint_path(canvas, y + 1, lane)
    return canvas


# --- every lane ---------------------------------------------------------------------------------------


def _paint_list(canvas: Canvas, view: View) -> int:
    second = 3 + (canvas.columns - 3) // 2
    canvas.put(3, 0, "client", Role.DIM)
    canvas.put(second, 0, "server", Role.DIM)
    for y, lane in enumerate(view.lanes, start=1):
        if y - 1 == view.selected:
            canvas.put(0, y, "▌", Role.SELECTED)
        canvas.put(1, y, str(y), Role.STRONG)
        canvas.put(3, y, fit(lane.client.state, second - 4), ROLES[lane.client.state])
        role = Role.ALERT if zombie(lane, view.now).ns else ROLES[lane.server.state]
        canvas.put(second, y, fit(lane.server.state, canvas.columns - second), role)
    return len(view.lanes) + 2


# --- the graph where there is room for its states only ------------------------------------------------


def _paint_dense(canvas: Canvas, y: int, of: Sequence[Side]) -> int:
    """Left what can go on, right the ends. A letter for each side that is in a state; · was there."""
    bus, right = 15, 17
    for index, state in enumerate(CHAIN):
        line = y + index
        _paint_node(canvas, 0, line, state, of)
        canvas.put(bus, line, "┐" if not index else "┘" if index == len(CHAIN) - 1 else "┤", Role.FRAME)
        canvas.fill(3 + len(state) + 1, bus, line, "─", Role.FRAME)
    for index, state in enumerate(ENDS):
        line = y + 1 + index
        _paint_node(canvas, right, line, state, of)
        canvas.put(bus, line, _JOINED.get(canvas.char(bus, line), "├"), Role.FRAME)
        canvas.put(bus + 1, line, "▸", Role.FRAME)
    return y + len(CHAIN)


def _paint_node(canvas: Canvas, x: int, y: int, state: State, of: Sequence[Side]) -> None:
    for offset, side in enumerate(of):
        if side.state is state:
            canvas.put(x + offset, y, side.name[0], node_role(state, [side]))
        elif side.was_in(state):
            canvas.put(x + offset, y, "·", Role.DIM)
    canvas.put(x + 3, y, state, node_role(state, of))


# --- counters and path --------------------------------------------------------------------------------


def paint_bars(canvas: Canvas, y: int, lane: LaneState) -> int:
    """The three counters of chunks with a bar each, and what could not be taken back. Returns the row below."""
    counts = _counts(lane)
    most = max(1, *(count or 0 for _, count in counts))
    for name, count in counts:
        canvas.put(0, y, name, Role.DIM)
        canvas.right(15, y, "?" if count is None else str(count), Role.TEXT)
        room = max(0, min(_WIDEST, canvas.columns - 17))
        canvas.fill(16, 16 + (count or 0) * room // most, y, "━", Role.RUNNING)
        y += 1
    _paint_past(canvas, 0, y, lane)
    return y + 1


def paint_counts(canvas: Canvas, y: int, lane: LaneState) -> int:
    """The same in one line."""
    x = 0
    for name, count in _counts(lane):
        x = canvas.put(x, y, name, Role.DIM) + 1
        x = canvas.put(x, y, "?" if count is None else str(count), Role.TEXT) + 3
    _paint_past(canvas, x, y, lane)
    return y + 1


def _counts(lane: LaneState) -> tuple[tuple[str, int | None], ...]:
    return ("accepted", lane.chunks.accepted), ("on wire", lane.chunks.on_wire), ("read", lane.chunks.read)


def _paint_past(canvas: Canvas, x: int, y: int, lane: LaneState) -> None:
    """Chunks that moved after a side was told, and after it had stopped."""
    both = (lane.client, lane.server)
    counts = {"irrevocable": sum(each.irrevocable for each in both), "late": sum(each.late for each in both)}
    for name, count in counts.items():
        x = canvas.put(x, y, f"{name} {count}", Role.DONE if count else Role.DIM) + 2


def violation_count(count: int) -> str:
    return f"{count} violation{'s' if count > 1 else ''}"


def paint_violations(canvas: Canvas, y: int, lane: LaneState) -> int:
    """What the table does not allow, the last of each side, with the event that was it."""
    for side, machine in (("client", lane.client), ("server", lane.server)):
        if not machine.violations:
            continue
        first = machine.violations[0]
        at = "" if lane.zero is None else f" at {figure(first.t - lane.zero.t)}"
        said = f": {plain(first.evidence)}" if first.evidence else ""
        count = violation_count(machine.illegal) + (", first" if machine.illegal > 1 else "")
        text = f"{count}: {side} {first.event} in {first.state}"
        canvas.put(0, y, first_that_fits(canvas.columns, f"{text}{at}{said}", f"{text}{at}", text), Role.ALERT)
        y += 1
    return y


def _paint_path(canvas: Canvas, y: int, lane: LaneState) -> None:
    """The steps that were taken, with their time after the trigger."""
    zero = lane.zero
    for side, machine in (("client", lane.client), ("server", lane.server)):
        room = canvas.rows - y - 1
        if room < 1 or not machine.path:
            continue
        canvas.put(0, y, f"{side} path", Role.DIM)
        for step in machine.path[-room:]:
            y += 1
            end = canvas.put(1, y, f"{step.event} ▸ ", Role.DIM)
            canvas.put(end, y, step.target, ROLES[step.target])
            if zero is not None and step.t >= zero.t:
                canvas.right(canvas.columns, y, figure(step.t - zero.t), Role.DIM)
        y += 2
