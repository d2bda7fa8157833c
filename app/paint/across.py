"""The machine's graph across the screen, for one side: the chain from left to right, rails above it, and below it a
track for each end, onto which the links of the chain drop."""

from __future__ import annotations

from functools import lru_cache

from app.paint.canvas import Canvas, Role
from app.paint.graph import (
    CHAIN,
    EDGES,
    ENDS,
    LOOPS,
    RAILS,
    ROLES,
    STEPS,
    Edge,
    Side,
    drops,
    edge_look,
    label_role,
    node_role,
)
from app.paint.units import figure
from app.paint.wires import Look, Wires
from probes.machine import Input, State

_ARROW, _DOWN = "▸", "▾"
_TIME = 7
_MOST = 26
"""Columns by which a step becomes longer, at most, where there is room."""

NARROW = len(CHAIN) * 6 + len("".join(CHAIN)) + len("".join(edge.label for edge in STEPS.values())) + 4
"""So many columns it needs at least."""


def height(spread: bool) -> int:
    """Rows: rails, chain, times; with ``spread`` also the loops, and tracks apart from one another."""
    return max(1, len(RAILS)) + 2 + spread + len(ENDS) * (1 + spread) - spread


class _Plan:
    """Where everything is: ``x`` of the links, ``end`` of the ends; ``chain``: the row of the links."""

    def __init__(self, columns: int, y: int, spread: bool) -> None:
        self.x, x = {}, 1
        needs = {state: _need(state) for state in CHAIN}
        tight = x + sum(needs.values()) + max(map(len, ENDS)) + 1 + _TIME
        more = max(0, min(_MOST, (columns - tight) // len(CHAIN)))
        for state in CHAIN:
            self.x[state], x = x, x + needs[state] + more
        self.end, self.spread = x, spread
        self.chain = y + max(1, len(RAILS))
        first = self.chain + 2 + spread
        self.track = {state: first + index * (1 + spread) for index, state in enumerate(ENDS)}


def _need(state: State) -> int:
    """Columns from a link to the next, or to the ends."""
    below = max((len(edge.label) for edge in drops(state).values()), default=0) + 4
    step = STEPS.get(state)
    return below if step is None else max(below, len(state) + len(step.label) + 4)


def paint_across(canvas: Canvas, y: int, side: Side, *, spread: bool) -> int:
    """Returns the row below it."""
    plan = _Plan(canvas.columns, y, spread)
    canvas.paste(_wired(canvas.columns, spread, tuple(edge_look(edge, [side]) for edge in EDGES)), 0, y)
    _label(canvas, plan, y, side)
    for state in (*CHAIN, *ENDS):
        _node(canvas, plan, state, side)
    canvas.put(0, y, side.name, Role.STRONG)
    return y + height(spread)


@lru_cache(maxsize=32)
def _wired(columns: int, spread: bool, looks: tuple[Look, ...]) -> Canvas:
    """All lines, for the looks of all edges: they stay as they are from one transition to the next."""
    plan, wires, look = _Plan(columns, 0, spread), Wires(), dict(zip(EDGES, looks, strict=True))
    for row, edge in enumerate(RAILS):
        left, right = plan.x[edge.source], plan.x[edge.target]
        wires.line((left, plan.chain), (left, row), *look[edge])
        wires.line((left, row), (right, row), *look[edge])
        wires.line((right, row), (right, plan.chain), *look[edge])
    for edge in STEPS.values():
        start = plan.x[edge.source] + len(edge.source) + 1
        wires.line((start, plan.chain), (plan.x[edge.target] - 2, plan.chain), *look[edge])
    for state in CHAIN:
        for edge in drops(state).values():
            _drop(wires, plan, edge, look[edge])
    canvas = Canvas(columns, height(spread))
    wires.paint(canvas)
    return canvas


def _drop(wires: Wires, plan: _Plan, edge: Edge, look: Look) -> None:
    """Down to the end's track, and along it. Where another track is crossed, the line goes under it."""
    x, track, mine = plan.x[edge.source], plan.track[edge.target], drops(edge.source)
    wires.line((x, track), (plan.end - 2, track), *look)
    crossed = [plan.track[other] for other in ENDS if other not in mine and _begins(other, plan) < x]
    top = plan.chain
    for row in (*sorted(row for row in crossed if row < track), track + 1):
        wires.line((x, top), (x, row - 1), *look)
        top = row + 1


def _begins(end: State, plan: _Plan) -> int:
    return min((plan.x[state] for state in CHAIN if end in drops(state)), default=plan.end)


def _label(canvas: Canvas, plan: _Plan, y: int, side: Side) -> None:
    for row, edge in enumerate(RAILS, start=y):
        left, right = plan.x[edge.source], plan.x[edge.target]
        text, role = f" {edge.label} ", label_role(edge, [side])
        canvas.put((left + right - len(text)) // 2, row, text, role)
        canvas.put(right, plan.chain - 1, _DOWN, edge_look(edge, [side])[1])
    for edge in STEPS.values():
        start, stop = plan.x[edge.source] + len(edge.source) + 1, plan.x[edge.target] - 2
        roomy = stop - start > len(edge.label) + 4
        text = f" {edge.label} " if roomy else edge.label
        canvas.put((start + stop - len(text) + 1) // 2, plan.chain, text, label_role(edge, [side]))
        canvas.put(stop, plan.chain, _ARROW, edge_look(edge, [side])[1])
    for state in CHAIN:
        for end, edge in drops(state).items():
            canvas.put(plan.x[state] + 1, plan.track[end], edge.label, label_role(edge, [side]))


def _node(canvas: Canvas, plan: _Plan, state: State, side: Side) -> None:
    """The live one stands in brackets, so that it is found without colour."""
    x, y = (plan.x[state], plan.chain) if state in plan.x else (plan.end, plan.track[state])
    if state in ENDS:
        arrived = [edge for link in CHAIN if (edge := drops(link).get(state)) is not None and side.taken(edge)]
        canvas.put(x - 2, y, _ARROW, edge_look(arrived[0], [side])[1] if arrived else Role.FRAME)
    role = node_role(state, [side])
    if state is side.state:
        canvas.put(x - 1, y, f"[{state}]", role)
    else:
        canvas.put(x, y, state, role)
    entered = side.entered(state)
    if entered is not None:
        text = figure(entered)
        if state in ENDS:
            canvas.put(x + len(state) + 2, y, text, ROLES[state])
        else:
            canvas.put(x + 2, plan.chain + 1, text, ROLES[state])
    if plan.spread:
        _loop(canvas, plan, state, side)


def _loop(canvas: Canvas, plan: _Plan, state: State, side: Side) -> None:
    """What leads back to the same state; chunks are counted."""
    counted = _chunks(state, side) if Input.CHUNK in LOOPS[state] else ""
    if state in CHAIN and LOOPS[state]:
        text = f"↻ {counted or ' '.join(LOOPS[state])}"
        canvas.put(plan.x[state] + 2, plan.chain + 2, text, Role.TEXT if counted else Role.DIM)
    elif counted:
        canvas.put(plan.end, plan.track[state] + 1, f"↻ {counted}", Role.TEXT)


def _chunks(state: State, side: Side) -> str:
    machine = side.machine
    if state is State.CANCELLING:
        return f"{machine.irrevocable} irrevocable" if machine.irrevocable else ""
    if state is State.CANCELLED:
        return f"{machine.late} late" if machine.late else ""
    count = machine.chunks - machine.irrevocable - machine.late
    return f"{count} chunk{'s' if count != 1 else ''}" if count else ""
