"""The state machine's table as a graph to draw, and what a lane's two sides have gone through in it.

Everything is read from ``probes.machine.TABLE``: the states that can go on stand in a chain, in the order of the
longest way there; the others are ends. An edge from one link of the chain to the next is a step, one that leaves some
out a rail, and one that leads to an end a drop onto that end's track. What leads back to its own state is a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from app.paint.canvas import Role
from app.paint.view import View
from app.paint.wires import HEAVY, LIGHT
from probes.machine import TABLE, Input, Machine, State, Step
from probes.state import LaneState
from probes.verdict import zombie

ROLES = {
    State.IDLE: Role.DIM,
    State.STREAMING: Role.RUNNING,
    State.PARTIAL_SENT: Role.RUNNING,
    State.CANCELLING: Role.DONE,
    State.CANCELLED: Role.CLEANUP,
    State.COMPLETED: Role.TEXT,
    State.FAILED: Role.ALERT,
}
LIT = {
    State.IDLE: Role.LIT_TEXT,
    State.STREAMING: Role.LIT_RUNNING,
    State.PARTIAL_SENT: Role.LIT_RUNNING,
    State.CANCELLING: Role.LIT_DONE,
    State.CANCELLED: Role.LIT_CLEANUP,
    State.COMPLETED: Role.LIT_TEXT,
    State.FAILED: Role.LIT_ALERT,
}


class Edge(NamedTuple):
    """A transition to another state; ``inputs`` are all that make it."""

    source: State
    target: State
    inputs: tuple[Input, ...]

    @property
    def label(self) -> str:
        return "/".join(self.inputs)


def _edges() -> tuple[Edge, ...]:
    return tuple(
        Edge(source, target, tuple(event for event, to in row.items() if to is target))
        for source, row in TABLE.items()
        for target in dict.fromkeys(row.values())
        if target is not source
    )


def _depth(state: State) -> int:
    """Steps on the longest way to a state."""
    return max((_depth(edge.source) + 1 for edge in EDGES if edge.target is state), default=0)


EDGES = _edges()
CHAIN = tuple(sorted((state for state in TABLE if any(edge.source is state for edge in EDGES)), key=_depth))
ENDS = tuple(state for state in TABLE if state not in CHAIN)
STEPS = {edge.source: edge for edge in EDGES for pair in pairwise(CHAIN) if edge[:2] == pair}
"""By its source the edge from a link of the chain to the next."""
RAILS = tuple(edge for edge in EDGES if edge.target in CHAIN and STEPS.get(edge.source) != edge)
LOOPS = {state: tuple(event for event, target in row.items() if target is state) for state, row in TABLE.items()}


def drops(state: State) -> dict[State, Edge]:
    """The edges that lead from a link of the chain to an end, by that end."""
    return {edge.target: edge for edge in EDGES if edge.source is state and edge.target in ENDS}


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a lane, as it is looked at. ``zombie``: it works on for nobody."""

    name: str
    machine: Machine
    now: int
    flash_ns: int
    zero: int | None
    zombie: bool = False

    @property
    def state(self) -> State:
        return self.machine.state

    def was_in(self, state: State) -> bool:
        return state is self.state or any(state in (step.source, step.target) for step in self.machine.path)

    def entered(self, state: State) -> int | None:
        """ns after the trigger; None where it never came there, or nothing was triggered."""
        times = [step.t for step in self.machine.path if step.target is state]
        return times[-1] - self.zero if times and self.zero is not None else None

    def taken(self, edge: Edge) -> Step | None:
        return next((step for step in self.machine.path if (step.source, step.target) == edge[:2]), None)

    def fresh(self, step: Step | None) -> bool:
        return step is not None and 0 <= self.now - step.t < self.flash_ns


def sides(lane: LaneState, view: View) -> tuple[Side, Side]:
    """The client's and the server's."""
    zero = None if lane.zero is None else lane.zero.t
    undead = bool(zombie(lane, view.now).ns) and lane.server.state in CHAIN
    return (
        Side("client", lane.client, view.now, view.flash_ns, zero),
        Side("server", lane.server, view.now, view.flash_ns, zero, undead),
    )


def edge_look(edge: Edge, of: Sequence[Side]) -> tuple[int, Role]:
    """Weight and role of an edge for some sides: heavy where one of them has gone along it, white when it just has."""
    steps = [(side, step) for side in of if (step := side.taken(edge)) is not None]
    if not steps:
        return LIGHT, Role.FRAME
    return HEAVY, Role.STRONG if any(side.fresh(step) for side, step in steps) else ROLES[edge.target]


def label_role(edge: Edge, of: Sequence[Side]) -> Role:
    weight, role = edge_look(edge, of)
    return role if weight == HEAVY else Role.DIM


def node_role(state: State, of: Sequence[Side]) -> Role:
    """Lit where a side is in it; it flashes when that has just come there."""
    here = [side for side in of if side.state is state]
    if any(side.zombie for side in here):
        return Role.LIT_ALERT
    if any(side.machine.path and side.fresh(side.machine.path[-1]) for side in here):
        return Role.LIT_TEXT
    if here:
        return LIT[state]
    return Role.TEXT if any(side.was_in(state) for side in of) else Role.DIM
