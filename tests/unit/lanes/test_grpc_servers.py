"""The gRPC lane when it is the server that ends the call: by a status, by stopping, by death, or without any answer."""

from __future__ import annotations

import pytest

from probes.events import ChildDied, ChildStarted, Signal
from probes.machine import State
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, LEAK, TOO_LATE, verdict
from tests.kit.grpc_lanes import FIRST, LAST, MID, evidence, in_phase, lanes, place
from tests.kit.lab_kit import Lab, Ran, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOME = [("unary", FIRST), ("server stream", MID), ("client stream", MID), ("bidi", LAST)]
"""Each phase and each shape: every lane of these has a servers process of its own."""


def failed(ran: Ran, found: LaneState, status: str) -> None:
    """The client got this status. A write that loses the race against it says INTERNAL of its own."""
    said = evidence(found, "client", Moment.DONE)
    writes = place(found) in (("client stream", MID), ("bidi", MID))
    assert said.startswith(f"AioRpcError {status}") or (writes and said.startswith("AioRpcError INTERNAL")), said
    assert (found.client.state, found.layer("caller").outcome) == (State.FAILED, "failed")
    assert verdict(found, ran.state.ended or 0) == CLEAN, found.name
    assert found.residue == {}


def signals(ran: Ran, found: LaneState) -> list[tuple[str, str]]:
    """(who said it, by which call). The servers may have acted before the write that asks them to has returned."""
    return sorted((event.src.partition(" ")[0], event.how) for event in ran.of(Signal, found.name))


async def test_abort(lab: Lab) -> None:
    ran = await lab.cancelled(*lanes("server abort"))
    for found in in_phase(ran):
        assert signals(ran, found) == [("lab", "server abort"), ("servers", "context.abort ABORTED")]
        failed(ran, found, "ABORTED")
        assert evidence(found, "wire", Moment.INTERRUPT) == "server>client HEADERS 10"
        assert evidence(found, "server", Moment.DONE).startswith("AbortError at ")
        assert found.server.state is State.FAILED


async def test_stop(lab: Lab) -> None:
    ran = await lab.cancelled(*lanes("server stop", SOME))
    for found in in_phase(ran):
        assert signals(ran, found) == [("lab", "server stop"), ("servers", "server.stop(None)")]
        failed(ran, found, "UNAVAILABLE Cancelling all calls")
        assert evidence(found, "wire", Moment.INTERRUPT) == "server>client HEADERS 14"
        assert "← GOAWAY NO_ERROR(0)" in ran.answers(found.name)
        assert evidence(found, "server", Moment.DONE).endswith("told by grpc.aio")
    assert_no_harm(lab, ran)


async def test_stop_with_grace_lets_a_call_end_that_can(lab: Lab) -> None:
    grace = {"cause": "server stop", "options": {"grace": 0.4}}
    ran = await lab.cancelled(
        lane("grpc", MID, name="endless", interval="10ms", **grace),
        lane("grpc", MID, name="short", interval="20ms", chunks=10, **{**grace, "options": {"grace": 10.0}}),
    )
    endless, short = in_phase(ran)
    failed(ran, endless, "UNAVAILABLE Cancelling all calls")
    stopped = endless.layer("wire").first(Moment.INTERRUPT)
    assert stopped is not None
    assert endless.zero is not None
    assert stopped.t - endless.zero.t > 390_000_000
    assert endless.server.chunks > short.server.chunks == 10
    assert [short.layer(layer).outcome for layer in ("caller", "client", "server")] == ["completed"] * 3
    assert verdict(short, ran.state.ended or 0) == TOO_LATE
    assert_no_harm(lab, ran)


async def test_kill(lab: Lab) -> None:
    ran = await lab.cancelled(*lanes("server killed", SOME))
    for found in in_phase(ran):
        assert signals(ran, found) == [("lab", "SIGKILL")]
        failed(ran, found, "UNAVAILABLE")
        assert evidence(found, "wire", Moment.INTERRUPT) in ("server>client FIN", "server>client RST")
        assert (found.layer("server").outcome, found.layer("server").marks) == ("killed", ())
        assert found.server.state is State.FAILED
        assert found.chunks.accepted is None
        (died,) = ran.of(ChildDied, found.name)
        assert (died.child, died.status) == ("servers", "SIGKILL")
    assert_no_harm(lab, ran)


def assert_no_harm(lab: Lab, ran: Ran) -> None:
    """These servers were the lanes' own: the lab's are the ones that it began with."""
    assert ran.state.outcome == "settled"
    assert {event.lane for event in ran.of(ChildStarted)} == {found.name for found in ran.state.lanes}
    assert len([event for event in lab.of(ChildStarted, 0) if event.child == "servers"]) == 1
    assert ran.result["census"]["leaked"] == {}


async def test_a_handler_that_cancels_itself_leaves_its_client_hanging(lab: Lab) -> None:
    """grpc #29248. The run ends when it has settled, and the teardown ends the call."""
    hangs = {"cause": "server abort", "options": {"abort": "CancelledError"}, "delay": "30s"}
    ran = await lab.cancelled(lane("grpc", FIRST, shape="unary", **hangs), settle=0.5)
    (found,) = in_phase(ran)
    assert evidence(found, "server", Moment.DONE) == "CancelledError at sleep before response: of its own accord"
    assert ran.answers(found.name) == []
    assert [found.layer(layer).marks for layer in ("caller", "client", "wire", "resource")] == [(), (), (), ()]
    assert found.residue == {"streams": 1, "calls": 1}
    assert verdict(found, ran.state.ended or 0) == LEAK
    assert ran.result["census"]["leaked"] == {}
