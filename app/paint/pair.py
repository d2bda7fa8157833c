"""What the two sides of a lane make together: the lane's verdict, and a sentence that says why."""

from __future__ import annotations

from app.paint.units import figure, residue_text, size
from probes import verdict as judge
from probes.machine import State
from probes.state import LaneState, Moment


def pair(lane: LaneState, now: int) -> tuple[str, str, str]:
    """The verdict, the two states, and why they make it."""
    word = judge.verdict(lane, now)
    return word, f"client {lane.client.state}, server {lane.server.state}", _why(lane, now, word)


def _why(lane: LaneState, now: int, word: str) -> str:
    match word:
        case judge.ZOMBIE:
            return _zombie(lane, now)
        case judge.TOO_LATE:
            late = lane.server.state is State.COMPLETED
            return "everything had been sent" if late else "everything had been read"
        case judge.SWALLOWED:
            return "somebody between caller and wire caught the cancel, and gave an answer"
        case judge.CLEAN:
            return "both were told, and hold nothing any more"
        case judge.CLAIMED:
            return "the library says so, and nothing was seen on the wire"
        case judge.LEAK:
            return f"still held: {residue_text(lane.residue)}" if any(lane.residue.values()) else "no cleanup was seen"
        case judge.PHASE_MISSED:
            return "the call was not where the cancel should have met it"
        case judge.RUNNING:
            return _running(lane)
        case judge.FAILED:
            return "it ended by an error, and by no cancel"
    return "nobody cancelled it"


def _zombie(lane: LaneState, now: int) -> str:
    dead = judge.zombie(lane, now)
    amount = figure(dead.ns) + (f", {size(dead.size)}" if dead.size else "")
    why = "swallowed its cancel" if lane.swallowed else "was never told"
    if dead.until is None and not dead.cut:
        return f"it {why} and works on for nobody, {amount} so far"
    return f"it {why} and worked for nobody for {amount}{', until the lab hung up' if dead.cut else ''}"


def _running(lane: LaneState) -> str:
    if lane.zero is None:
        return "nothing was cancelled yet"
    told = lane.layer("server").first(Moment.DONE) is not None
    return "the server has been told, not all is cleaned up" if told else "the news is on its way"
