"""The state machine of a partial response: one total table, run once per side (client, server) and lane.

``TABLE[state][event]`` is the next state; an event that is absent is illegal there. The machine never
raises: an illegal event leaves the state as it is and is recorded as a violation, to be shown.

Three things that a plain cancelled/not-cancelled flag hides, and that the table therefore spells out:

* Cancelling is a state of its own, because a side that was told goes on for a while: a chunk accepted in it
  is *irrevocable* (it is on its way, nobody can take it back), and the end of the stream may win the race.
* Cancel is idempotent wherever it can come twice, and a no-op once the stream has ended: "too late".
* A chunk that arrives in Cancelled is *late*: legal (the network had it already), but counted.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class State(StrEnum):
    IDLE = "Idle"
    STREAMING = "Streaming"
    PARTIAL_SENT = "PartialSent"
    CANCELLING = "Cancelling"
    CANCELLED = "Cancelled"
    COMPLETED = "Completed"
    FAILED = "Failed"


class Input(StrEnum):
    """What can happen to a side: ``open`` the exchange began, ``chunk`` a piece of the response moved, ``cancel``
    it was asked to stop, ``stopped`` it has stopped for that, ``end`` it ended by itself, ``fail`` by an error."""

    OPEN = "open"
    CHUNK = "chunk"
    CANCEL = "cancel"
    STOPPED = "stopped"
    END = "end"
    FAIL = "fail"


TABLE: dict[State, dict[Input, State]] = {
    State.IDLE: {
        Input.OPEN: State.STREAMING,
        Input.CANCEL: State.CANCELLED,
        Input.FAIL: State.FAILED,
    },
    State.STREAMING: {
        Input.CHUNK: State.PARTIAL_SENT,
        Input.CANCEL: State.CANCELLING,
        Input.STOPPED: State.CANCELLED,
        Input.END: State.COMPLETED,
        Input.FAIL: State.FAILED,
    },
    State.PARTIAL_SENT: {
        Input.CHUNK: State.PARTIAL_SENT,
        Input.CANCEL: State.CANCELLING,
        Input.STOPPED: State.CANCELLED,
        Input.END: State.COMPLETED,
        Input.FAIL: State.FAILED,
    },
    State.CANCELLING: {
        Input.CHUNK: State.CANCELLING,
        Input.CANCEL: State.CANCELLING,
        Input.STOPPED: State.CANCELLED,
        Input.END: State.COMPLETED,
        Input.FAIL: State.FAILED,
    },
    State.CANCELLED: {
        Input.CHUNK: State.CANCELLED,
        Input.CANCEL: State.CANCELLED,
        Input.STOPPED: State.CANCELLED,
    },
    State.COMPLETED: {
        Input.CANCEL: State.COMPLETED,
        Input.STOPPED: State.COMPLETED,
        Input.END: State.COMPLETED,
    },
    State.FAILED: {
        Input.CANCEL: State.FAILED,
        Input.STOPPED: State.FAILED,
    },
}

VIOLATIONS_KEPT = 16
"""Of one side: the first tell what went wrong, and a peer that breaks the rules with each chunk does so thousands of
times."""

TERMINAL = frozenset({State.CANCELLED, State.COMPLETED, State.FAILED})


class Step(Struct, frozen=True, gc=False):
    """One transition that was taken: at ``t`` ns, by ``event``."""

    t: int
    source: State
    event: Input
    target: State


class Violation(Struct, frozen=True, gc=False):
    """An event that the table does not allow in ``state``; ``evidence`` names what was observed."""

    t: int
    state: State
    event: Input
    evidence: str


class Machine(Struct, frozen=True, gc=False):
    """Where one side stands and how it came there. Self-loops are counted, not kept in ``path``; of the ``violations``
    the first VIOLATIONS_KEPT are kept, and all are counted in ``illegal``."""

    state: State = State.IDLE
    path: tuple[Step, ...] = ()
    chunks: int = 0
    irrevocable: int = 0
    late: int = 0
    violations: tuple[Violation, ...] = ()
    illegal: int = 0

    def step(self, event: Input, t: int, n: int = 1, evidence: str = "") -> Machine:
        """The machine after ``event`` at ``t``; ``n`` chunks when it is a chunk."""
        target = TABLE[self.state].get(event)
        if target is None:
            return self._violated(Violation(t, self.state, event, evidence))
        moved = self if event is not Input.CHUNK else self._count(n)
        if target is self.state:
            return moved
        return replace(moved, state=target, path=(*moved.path, Step(t, self.state, event, target)))

    def _violated(self, violation: Violation) -> Machine:
        if self.illegal >= VIOLATIONS_KEPT:
            return replace(self, illegal=self.illegal + 1)
        return replace(self, illegal=self.illegal + 1, violations=(*self.violations, violation))

    def _count(self, n: int) -> Machine:
        return replace(
            self,
            chunks=self.chunks + n,
            irrevocable=self.irrevocable + (n if self.state is State.CANCELLING else 0),
            late=self.late + (n if self.state is State.CANCELLED else 0),
        )
