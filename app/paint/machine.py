"""The state machine of a partial response: where both sides of every lane stand, and the graph for one lane.

The graph is ``probes.machine.TABLE``: the left column holds the states that can still go on, the right one those in
which a side ends; what leads from one row of the left to the next is read from the table.
"""

from __future__ import annotations

from app.paint.canvas import Canvas, Role
from app.paint.text import fit, plain
from app.paint.units import figure
from app.paint.view import View
from probes.machine import TABLE, TERMINAL, Machine, State
from probes.state import LaneState
from probes.verdict import zombie

LEFT = (State.IDLE, State.STREAMING, State.PARTIAL_SENT, State.CANCELLING)
RIGHT = (State.COMPLETED, State.FAILED, State.CANCELLED)
_JOINED = {"│": "├", "┤": "┼", "┘": "┴", "┐": "┬"}
"""A line that also goes to the right."""
_ROLES = {
    State.IDLE: Role.DIM,
    State.STREAMING: Role.RUNNING,
    State.PARTIAL_SENT: Role.RUNNING,
    State.CANCELLING: Role.DONE,
    State.CANCELLED: Role.CLEANUP,
    State.COMPLETED: Role.TEXT,
    State.FAILED: Role.ALERT,
}
_LIT = {
    State.IDLE: Role.LIT_TEXT,
    State.STREAMING: Role.LIT_RUNNING,
    State.PARTIAL_SENT: Role.LIT_RUNNING,
    State.CANCELLING: Role.LIT_DONE,
    State.CANCELLED: Role.LIT_CLEANUP,
    State.COMPLETED: Role.LIT_TEXT,
    State.FAILED: Role.LIT_ALERT,
}


def title(view: View, _rows: int) -> tuple[str, str]:
    lane = view.lane
    return ("machine", "") if lane is None else (f"machine · {view.selected + 1} {plain(lane.name)}", "")


def paint_machine(view: View, columns: int, rows: int) -> Canvas:
    """List, graph, counters and path, in that order of what goes first when rows are scarce: path, list, gaps."""
    canvas = Canvas(columns, rows)
    lanes, lane = view.lanes, view.lane
    if lane is None:
        return canvas
    graph, counters = (7 if rows >= len(lanes) + 17 else 4), 4
    y = 0
    if rows >= len(lanes) + 2 + graph + counters + 1:
        y = _paint_list(canvas, view)
    y = _paint_graph(canvas, y, lane, view, spread=graph == 7)
    y = _paint_counters(canvas, y + (rows - y > counters), lane)
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
        canvas.put(3, y, fit(lane.client.state, second - 4), _ROLES[lane.client.state])
        role = Role.ALERT if zombie(lane, view.now).ns else _ROLES[lane.server.state]
        canvas.put(second, y, fit(lane.server.state, canvas.columns - second), role)
    return len(view.lanes) + 2


# --- the graph ----------------------------------------------------------------------------------------


def _paint_graph(canvas: Canvas, y: int, lane: LaneState, view: View, *, spread: bool) -> int:
    """Each state with a letter for the client and one for the server that are in it; · was there."""
    step = 2 if spread else 1
    bus, right = 15, 17
    for index, state in enumerate(LEFT):
        line = y + index * step
        _paint_node(canvas, 0, line, state, lane, view)
        if any(target in TERMINAL for target in TABLE[state].values()):
            canvas.put(bus, line, "┐┤┤┘"[index], Role.FRAME)
            canvas.fill(3 + len(state) + 1, bus, line, "─", Role.FRAME)
        if spread and index:
            _paint_edge(canvas, line - 1, LEFT[index - 1], state)
            canvas.put(bus, line - 1, "│", Role.FRAME)
    for index, state in enumerate(RIGHT):
        line = y + 1 + index * step
        _paint_node(canvas, right, line, state, lane, view)
        canvas.put(bus, line, _JOINED.get(canvas.char(bus, line), "├"), Role.FRAME)
        canvas.put(bus + 1, line, "▸", Role.FRAME)
    return y + 3 * step + 1


def _paint_edge(canvas: Canvas, y: int, source: State, target: State) -> None:
    names = [event for event, to in TABLE[source].items() if to is target]
    canvas.put(3, y, f"▾ {names[0]}" if names else "", Role.DIM)


def _paint_node(canvas: Canvas, x: int, y: int, state: State, lane: LaneState, view: View) -> None:
    sides = (lane.client, lane.server)
    for offset, (letter, machine) in enumerate(zip("cs", sides, strict=True)):
        if machine.state is state:
            dead = letter == "s" and _undead(state, lane, view.now)
            canvas.put(x + offset, y, letter, Role.LIT_ALERT if dead else _LIT[state])
        elif _passed(machine, state):
            canvas.put(x + offset, y, "·", Role.DIM)
    here = any(machine.state is state for machine in sides)
    if here:
        canvas.put(x + 3, y, f"{state}", _lit(state, lane, view))
    else:
        canvas.put(x + 3, y, state, Role.TEXT if any(_passed(machine, state) for machine in sides) else Role.DIM)


def _passed(machine: Machine, state: State) -> bool:
    return any(state in (step.source, step.target) for step in machine.path)


def _undead(state: State, lane: LaneState, now: int) -> bool:
    return lane.server.state is state and bool(zombie(lane, now).ns) and state not in TERMINAL


def _lit(state: State, lane: LaneState, view: View) -> Role:
    """A transition that has just happened flashes before it takes its colour."""
    if _undead(state, lane, view.now):
        return Role.LIT_ALERT
    steps = [machine.path[-1] for machine in (lane.client, lane.server) if machine.path]
    fresh = any(step.target is state and 0 <= view.now - step.t < view.flash_ns for step in steps)
    return Role.LIT_TEXT if fresh else _LIT[state]


# --- counters and path --------------------------------------------------------------------------------


def _paint_counters(canvas: Canvas, y: int, lane: LaneState) -> int:
    chunks = lane.chunks
    counts = (("accepted", chunks.accepted), ("on wire", chunks.on_wire), ("read", chunks.read))
    most = max(1, *(count or 0 for _, count in counts))
    for name, count in counts:
        canvas.put(0, y, name, Role.DIM)
        canvas.right(15, y, "?" if count is None else str(count), Role.TEXT)
        room = max(0, canvas.columns - 17)
        canvas.fill(16, 16 + (count or 0) * room // most, y, "━", Role.RUNNING)
        y += 1
    sides = (lane.client, lane.server)
    end = canvas.put(0, y, f"irrevocable {sum(side.irrevocable for side in sides)}", Role.DIM)
    end = canvas.put(end + 2, y, f"late {sum(side.late for side in sides)}", Role.DIM)
    return _paint_violations(canvas, y + 1, lane)


def _paint_violations(canvas: Canvas, y: int, lane: LaneState) -> int:
    for side, machine in (("client", lane.client), ("server", lane.server)):
        if not machine.violations:
            continue
        last = machine.violations[-1]
        count = len(machine.violations)
        text = f"{count} violation{'s' if count > 1 else ''}: {side} {last.event} in {last.state}"
        canvas.put(0, y, fit(text, canvas.columns), Role.ALERT)
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
            canvas.put(end, y, step.target, _ROLES[step.target])
            if zero is not None and step.t >= zero.t:
                canvas.right(canvas.columns, y, figure(step.t - zero.t), Role.DIM)
        y += 2
