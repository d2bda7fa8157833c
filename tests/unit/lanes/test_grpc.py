"""The gRPC lane: each shape in each phase, ended by each cause that the client has; what wire and handler say."""

from __future__ import annotations

import re

import pytest

from probes.events import SpanCancelled
from probes.machine import State
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, ZOMBIE, verdict
from tests.kit.grpc_lanes import FIRST, LAST, MID, evidence, in_phase, lanes, place
from tests.kit.lab_kit import Lab, Ran, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

AWAITS = {
    ("unary", FIRST): "sleep before response",
    ("client stream", FIRST): "sleep before response",
    ("client stream", MID): r"(sleep after )?read #\d+",
    ("client stream", LAST): r"sleep before response|(sleep after )?read #\d",
    ("server stream", FIRST): "sleep before first chunk",
    ("bidi", FIRST): "sleep before first chunk",
    ("server stream", LAST): "sleep after (the last chunk|#4)",
    ("bidi", LAST): "sleep after (the last chunk|#4)",
}
"""Where the handler is then, as a pattern; in the middle of a stream of responses between two writes."""
_BETWEEN = r"(read|write|sleep after) #\d+"

RST = "client>server RST_STREAM CANCEL(8)"


def server_told(found: LaneState) -> None:
    told = evidence(found, "server", Moment.DONE)
    where = AWAITS.get(place(found), _BETWEEN)
    assert re.fullmatch(f"\\w+ at ({where}), told by .+", told), (found.name, told)
    assert found.server.state is State.CANCELLED
    assert evidence(found, "server", Moment.CLEANUP) == "finally ran"


def clean(ran: Ran, found: LaneState) -> None:
    assert verdict(found, ran.state.ended or 0) == CLEAN, found.name
    assert found.residue == {}


@pytest.mark.parametrize("cause", ["task.cancel", "call.cancel", "channel.close"])
async def test_a_cancel_resets_the_stream(lab: Lab, cause: str) -> None:
    ran = await lab.cancelled(*lanes(cause))
    for found in in_phase(ran):
        assert evidence(found, "client", Moment.DONE) == "CancelledError"
        assert evidence(found, "wire", Moment.INTERRUPT) == RST
        assert ran.answers(found.name)[0] == "→ RST_STREAM CANCEL(8)"
        assert (found.client.state, found.layer("caller").outcome) == (State.CANCELLED, "cancelled")
        server_told(found)
        clean(ran, found)
        told = found.layer("caller").first(Moment.DONE)
        assert told is not None
        assert told.evidence == ("task.cancel(), key" if cause == "task.cancel" else "CancelledError")


async def test_a_task_that_is_suspended_elsewhere_cancels_nothing(lab: Lab) -> None:
    ran = await lab.cancelled(*lanes("task.cancel elsewhere"), settle=0.3)
    for found in in_phase(ran):
        assert evidence(found, "caller", Moment.DONE) == "task.cancel(), key"
        assert found.client.state is State.CANCELLED
        assert ran.answers(found.name) == []
        unheard(ran, found)
    assert ran.result["census"]["leaked"] == {}


def unheard(ran: Ran, found: LaneState) -> None:
    """Nothing stopped the call, and only the teardown did."""
    assert found.layer("wire").marks == ()
    assert found.layer("server").marks == ()
    assert verdict(found, ran.state.ended or 0) == ZOMBIE
    assert found.residue == {"handlers": 1, "streams": 1, "calls": 1}
    (end,) = [event for event in ran.of(SpanCancelled, found.name) if event.layer == "server"]
    assert found.teardown is not None
    assert end.t > found.teardown


async def test_leaving_the_loop_leaves_the_call(lab: Lab) -> None:
    ran = await lab.cancelled(lane("grpc", MID, cause="break", interval="10ms"), settle=0.3)
    (found,) = in_phase(ran)
    assert evidence(found, "caller", Moment.DONE) == "break out of async for, key"
    assert [found.layer(layer).outcome for layer in ("caller", "client")] == ["completed", "completed"]
    unheard(ran, found)


# --- timers ---------------------------------------------------------------------------------------------

TIMER = "1500ms"
"""Long enough to be in the phase on a busy machine."""


async def test_asyncio_timeout_resets_the_stream(lab: Lab) -> None:
    ran = await lab.ended(lab.fire(*lanes("asyncio.timeout", timeouts={"asyncio.timeout": TIMER})))
    for found in in_phase(ran):
        assert found.zero is not None
        assert found.zero.cause == "asyncio.timeout"
        assert evidence(found, "caller", Moment.DONE) == "TimeoutError"
        assert evidence(found, "wire", Moment.INTERRUPT) == RST
        server_told(found)
        clean(ran, found)


async def test_at_the_deadline_either_side_may_be_first(lab: Lab) -> None:
    """Both have a timer of their own. What a write says that the end overtakes is INTERNAL, and not to be believed."""
    ran = await lab.ended(lab.fire(*lanes("deadline", timeouts={"deadline": TIMER})))
    for found in in_phase(ran):
        assert found.zero is not None
        assert found.zero.cause == "gRPC deadline"
        said = evidence(found, "client", Moment.DONE)
        writes = place(found) in (("client stream", MID), ("bidi", MID))
        assert said.startswith(("AioRpcError DEADLINE_EXCEEDED", "AioRpcError INTERNAL" if writes else "AioRpcError D"))
        assert evidence(found, "wire", Moment.INTERRUPT) in (RST, "server>client HEADERS 4"), found.name
        assert found.client.state is State.FAILED
        server_told(found)
        clean(ran, found)
