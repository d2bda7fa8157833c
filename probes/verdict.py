"""What a lane's marks amount to: headline moments, zombie, residue, verdict, skew. Pure; times in ns."""

from __future__ import annotations

from dataclasses import dataclass

from probes.catalogue import BREAK, IDLE
from probes.events import LAYERS, Layer
from probes.machine import State
from probes.state import LaneState, Mark, Moment, RunState

CLEAN = "clean"
ZOMBIE = "zombie"
CLAIMED = "claimed, not seen"
TOO_LATE = "too late"
SWALLOWED = "swallowed"
LEAK = "leak"
FAILED = "failed"
RUNNING = "running"
NOT_CANCELLED = "not cancelled"
PHASE_MISSED = "phase missed"

TIMED = "asyncio.timeout"
"""The one trigger of a lane's own that cancels its task."""

WORDS = (CLEAN, ZOMBIE, CLAIMED, TOO_LATE, SWALLOWED, LEAK, FAILED, RUNNING, NOT_CANCELLED, PHASE_MISSED)
"""Every verdict there is."""


@dataclass(frozen=True, slots=True)
class Zombie:
    """Work that went on after its caller's Done. ``ns`` and ``size`` (bytes) are 0 where there was none."""

    ns: int = 0
    size: int = 0
    since: int | None = None
    until: int | None = None
    """None while it still runs."""
    cut: bool = False
    """The lab hung up on it in its teardown: how long it would have gone on nobody knows."""


def headline(lane: LaneState, moment: Moment) -> Mark | None:
    """The mark that stands for the whole lane: the library's Done, the wire's interrupt, the resource's cleanup."""
    if moment is Moment.DONE:
        return lane.layer("client").first(Moment.DONE)
    if moment is Moment.CLEANUP:
        return lane.layer("resource").first(Moment.CLEANUP)
    return interrupt(lane)


def interrupt(lane: LaneState) -> Mark | None:
    """When bytes really stopped. A CancelRequest only asks for it, so it stands in only where no answer came."""
    return lane.layer("wire").last(Moment.INTERRUPT)


def offset(lane: LaneState, mark: Mark | None) -> int | None:
    """ns from the lane's trigger to ``mark``; None where one of them did not come."""
    return None if mark is None or lane.zero is None else mark.t - lane.zero.t


def seen(lane: LaneState, layer: Layer, mark: Mark) -> bool:
    """False where only a library says so: its Done with nothing on the wire to prove it."""
    return not (layer == "client" and mark.moment is Moment.DONE and interrupt(lane) is None)


def zombie(lane: LaneState, now: int) -> Zombie:
    """The server's work that outlived its caller although nobody told it, up to ``now`` while it still runs.

    A server that was told and is cleaning up is no zombie; one that never heard is, or that heard and went on, from its
    caller's Done on.
    """
    left, row = lane.left, lane.layer("server")
    if left is None or row.started is None or row.outcome == "killed":
        return Zombie()
    if row.first(Moment.DONE) is not None and not lane.swallowed:
        return Zombie()
    if row.ended is not None and row.ended <= left:
        return Zombie()
    if _still_travelling(lane, left, now):
        return Zombie()
    until = now if row.ended is None else row.ended
    cut = lane.teardown is not None and until >= lane.teardown
    return Zombie(max(0, until - left), lane.late_bytes, left, row.ended, cut)


TRAVEL_NS = 20_000_000
"""So long nobody is called a zombie."""


def _still_travelling(lane: LaneState, left: int, now: int) -> bool:
    """The news needs time: while the lane is young, a server that has not heard yet is not called a zombie."""
    told = left if lane.zero is None else lane.zero.t
    return lane.layer("server").ended is None and lane.teardown is None and now - told < TRAVEL_NS


def verdict(lane: LaneState, now: int) -> str:
    """One word for the lane, the worst thing first. A lane that missed its phase proves nothing, whatever it shows."""
    if missed_phase(lane):
        return PHASE_MISSED
    if lane.zero is None:
        return _untriggered(lane)
    if zombie(lane, now).ns:
        return ZOMBIE
    if _hidden(lane):
        return SWALLOWED
    if lane.plan.phase != IDLE and State.COMPLETED in (lane.client.state, lane.server.state):
        return TOO_LATE
    if any(lane.residue.values()):
        return LEAK
    if headline(lane, Moment.CLEANUP) is None and lane.teardown is None:
        return RUNNING
    if interrupt(lane) is None and lane.layer("wire").started is not None:
        return CLAIMED
    return CLEAN if headline(lane, Moment.CLEANUP) else LEAK


def _hidden(lane: LaneState) -> bool:
    """Its task was cancelled, by whoever or by its asyncio.timeout, and it completed: somebody between caller and wire
    caught the cancel and gave an answer. Who leaves a loop cancels nobody."""
    row = lane.layer("caller")
    told = row.first(Moment.DONE) is not None and lane.plan.cause != BREAK
    timed = lane.zero is not None and lane.zero.own and lane.zero.cause == TIMED
    return (told or timed) and row.outcome == "completed"


def missed_phase(lane: LaneState) -> bool:
    """It was cancelled before its call was in the plan's phase, or its call ended without ever being there.

    A guest has none to miss: it is wherever its client has brought it.
    """
    if lane.guest or not lane.plan.phase:
        return False
    if lane.zero is not None:
        return lane.reached is None or lane.reached > lane.zero.t
    return lane.reached is None and lane.layer("caller").ended is not None


def _untriggered(lane: LaneState) -> str:
    row = lane.layer("wire" if lane.guest else "caller")
    if row.ended is None:
        return RUNNING if lane.teardown is None else NOT_CANCELLED
    return FAILED if row.outcome == "failed" else NOT_CANCELLED


def skew(run: RunState, moment: Moment) -> int | None:
    """Largest minus smallest over the lanes for one kind of moment; None with fewer than two lanes."""
    found = [value for lane in run.lanes if (value := offset(lane, headline(lane, moment))) is not None]
    return max(found) - min(found) if len(found) > 1 else None


def leaked(run: RunState) -> dict[str, int]:
    """What everybody together held more after the run than before it, by name; empty also where nobody counted."""
    return {
        name: count - run.before.get(name, 0) for name, count in run.after.items() if count > run.before.get(name, 0)
    }


def violations(lane: LaneState) -> int:
    return lane.client.illegal + lane.server.illegal


def marks_in_order(lane: LaneState) -> list[tuple[Layer, Mark]]:
    """All marks of a lane, by time, then top to bottom."""
    pairs = [(layer, mark) for layer in LAYERS for mark in lane.layer(layer).marks]
    return sorted(pairs, key=lambda pair: pair[1].t)
