"""The gRPC lane whose client is a process that is killed: nobody is told, and the kernel's FIN tells the server."""

from __future__ import annotations

import pytest

from probes.events import ChildDied, ChildStarted, Signal, SpanEnded, SpanStarted
from probes.machine import State
from probes.state import Moment
from probes.verdict import CLEAN, NOT_CANCELLED, verdict
from tests.kit.grpc_lanes import FIRST, LAST, MID, evidence, in_phase, lanes
from tests.kit.lab_kit import Lab, Ran, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOME = [("unary", FIRST), ("server stream", MID), ("client stream", MID), ("bidi", LAST)]


def killed(ran: Ran) -> None:
    """What holds for every lane of a run whose clients were killed."""
    for found in in_phase(ran):
        assert [(event.layer, event.how) for event in ran.of(Signal, found.name)] == [("", "SIGKILL")]
        assert [event.child for event in ran.of(ChildStarted, found.name)] == ["client"]
        assert [event.status for event in ran.of(ChildDied, found.name)] == ["SIGKILL"]
        for layer in ("caller", "client"):
            row = found.layer(layer)
            assert (row.outcome, row.marks) == ("killed", ())
            # Its spans have begun in that process, and never ended.
            assert {event.src for event in ran.of(SpanStarted, found.name) if event.layer == layer} == {
                f"client {ran.state.run} {found.name}"
            }
            assert [event for event in ran.events if isinstance(event, SpanEnded) and event.layer == layer] == []
        assert found.client.state is State.FAILED
        assert found.residue == {}
        assert verdict(found, ran.state.ended or 0) == CLEAN, found.name
    assert ran.result["census"]["leaked"] == {}


async def test_the_server_hears_of_it_by_the_kernels_fin(lab: Lab) -> None:
    ran = await lab.cancelled(*lanes("client killed", SOME))
    killed(ran)
    for found in ran.state.lanes:
        wire = found.layer("wire").first(Moment.INTERRUPT)
        told = found.layer("server").first(Moment.DONE)
        assert wire is not None
        assert told is not None
        # RST where bytes were unread in its socket.
        assert wire.evidence in ("client>server FIN", "client>server RST")
        assert not [frame for frame in ran.answers(found.name) if frame.startswith("→ RST_STREAM")]
        assert found.server.state is State.CANCELLED
        assert evidence(found, "resource", Moment.CLEANUP) == wire.evidence


async def test_the_kernel_ends_its_attempts_to_connect(lab: Lab) -> None:
    targets = {"stalled": {}, "black-hole": {}, "dead": {"wait_for_ready": True}}
    plans = [
        lane("grpc", "connecting", name=target, cause="client killed", options={"target": target, **more})
        for target, more in targets.items()
    ]
    ran = await lab.cancelled(*plans, settle=5.0)
    killed(ran)
    for found in ran.state.lanes:
        assert found.layer("server").started is None


async def test_one_that_ends_by_itself_is_not_killed(lab: Lab) -> None:
    ran = await lab.ended(lab.fire(lane("grpc", MID, cause="client killed", chunks=3, interval="1ms")))
    (found,) = ran.state.lanes
    assert verdict(found, ran.state.ended or 0) == NOT_CANCELLED
    assert [found.layer(layer).outcome for layer in ("caller", "client", "server")] == ["completed"] * 3
    assert ran.of(ChildDied) == []
    assert found.chunks.read == 3
