"""The machine's graph down a narrow panel, for both sides of a lane: the chain, and below it the ends, to which lines
lead back from the right. Letters say who is where: c the client, s the server; · was there."""

from __future__ import annotations

from collections.abc import Sequence

from app.paint.canvas import Canvas, Role
from app.paint.graph import CHAIN, ENDS, RAILS, ROLES, STEPS, Edge, Side, drops, edge_look, label_role, node_role
from app.paint.text import fit
from app.paint.wires import LIGHT, Wires
from probes.machine import State

_NAME = 4
"""Column of the names; before it are the letters and the rails."""
_BACK = _NAME + max(map(len, ENDS)) + 1
"""Column at which the lines come back to the ends."""
_LABEL = max(len(edge.label) for state in CHAIN for edge in drops(state).values())
_FIRST = _BACK + _LABEL + 1
NARROW = _FIRST + 2 * len(ENDS) - 1
"""Columns that it needs."""


def height(labels: bool) -> int:
    """Rows; with ``labels`` of the steps between the links of the chain."""
    return len(CHAIN) * (1 + labels) - labels + len(ENDS)


def paint_down(canvas: Canvas, y: int, of: Sequence[Side], *, labels: bool) -> int:
    """Returns the row below it."""
    rows = {state: y + index * (1 + labels) for index, state in enumerate(CHAIN)}
    rows |= {state: y + height(labels) - len(ENDS) + index for index, state in enumerate(ENDS)}
    wires = Wires()
    for edge in RAILS:
        look = edge_look(edge, of)
        wires.line((_NAME - 1, rows[edge.source]), (_NAME, rows[edge.source]), *look)
        wires.line((_NAME - 1, rows[edge.source]), (_NAME - 1, rows[edge.target]), *look)
        wires.line((_NAME - 1, rows[edge.target]), (_NAME, rows[edge.target]), *look)
    for state in CHAIN:
        for end, edge in drops(state).items():
            _drop(wires, rows, end, edge, of)
    wires.paint(canvas)
    for state in (*CHAIN, *ENDS):
        _node(canvas, rows[state], state, of)
    for end in ENDS:
        _arrive(canvas, rows[end], end, of)
    if labels:
        for edge in STEPS.values():
            canvas.put(_NAME + 1, rows[edge.source] + 1, f"▾ {edge.label}", label_role(edge, of))
    return y + height(labels)


def _track(end: State) -> int:
    return _FIRST + 2 * ENDS.index(end)


def _drop(wires: Wires, rows: dict[State, int], end: State, edge: Edge, of: Sequence[Side]) -> None:
    """To the right, down the end's track, and back."""
    x, top, bottom, look = _track(end), rows[edge.source], rows[end], edge_look(edge, of)
    wires.line((_NAME + len(edge.source) + 1, top), (x, top), *look)
    wires.line((x, top), (x, bottom), *look)
    wires.line((_BACK, bottom), (x, bottom), *look)


def _arrive(canvas: Canvas, y: int, end: State, of: Sequence[Side]) -> None:
    """The arrow at an end, and the input that leads there from most links, or the one that did."""
    edges = [edge for state in CHAIN if (edge := drops(state).get(end)) is not None]
    best = max(edges, key=lambda edge: edge_look(edge, of)[0] > LIGHT)
    taken = [edge for edge in edges if edge_look(edge, of)[0] > LIGHT]
    labels = [edge.label for edge in edges]
    edge = taken[-1] if taken else max(edges, key=lambda each: labels.count(each.label))
    canvas.put(_BACK, y, "◂", edge_look(best, of)[1])
    canvas.put(_BACK + 1, y, fit(edge.label, _LABEL), label_role(edge, of))


def _node(canvas: Canvas, y: int, state: State, of: Sequence[Side]) -> None:
    for x, side in enumerate(of):
        if side.state is state:
            canvas.put(x, y, side.name[0], node_role(state, [side]))
        elif side.was_in(state):
            canvas.put(x, y, "·", ROLES[state] if state in ENDS else Role.DIM)
    canvas.put(_NAME, y, state, node_role(state, of))
