"""What a scenario can ask of an HTTP lane besides phase and cause, and what that changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probes.events import CleanedUp, FrameSeen, PhaseReached, RunEnded, SpanStarted
from probes.machine import State
from probes.state import Moment
from probes.verdict import CLEAN, LEAK, TOO_LATE, ZOMBIE
from tests.kit.http_lanes import HTTP, cell, done, evidence, in_phase, said, wire
from tests.kit.lab_kit import Lab, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG = 1 << 16


# --- uploads --------------------------------------------------------------------------------------------


async def test_a_stalled_upload_is_abandoned_in_silence_unless_it_lingers_for_nothing(lab: Lab) -> None:
    stalled = {"upload": "stalled"}
    lanes = [
        cell("http/1.1", "request body", name="plain", size=BIG, options=stalled),
        cell("http/1.1", "request body", name="linger", size=BIG, options={**stalled, "linger": True}),
    ]
    found = in_phase(await lab.cancelled(*lanes, settle=0.4))
    assert (wire(found["plain"]), *said(found["plain"])) == ("", ZOMBIE, {"handlers": 1, "unsent FIN": 1})
    assert (wire(found["linger"]), *said(found["linger"])) == ("client>server RST", CLEAN, {})
    for each in found.values():
        # Accepted by httpx, held by the kernel, never on the wire: the counters of an upload start at the client.
        assert each.chunks.accepted is not None
        assert each.chunks.accepted > (each.chunks.on_wire or 0)


async def test_a_stalled_upload_does_not_see_the_servers_fin(lab: Lab) -> None:
    plan = cell("http/1.1", "request body", "server FIN", size=BIG, options={"upload": "stalled"})
    (found,) = in_phase(await lab.cancelled(plan, settle=1.5)).values()
    assert (wire(found), done(found)) == ("server>client FIN", "")
    assert said(found) == (LEAK, {"calls": 1})
    assert found.client.state is State.PARTIAL_SENT


async def test_an_upload_without_window_waits_in_a_read(lab: Lab) -> None:
    plan = cell("http/2", "request body", "read timeout", options={"upload": "window"})
    ran = await lab.ended(lab.fire(plan, settle=0.3))
    (found,) = in_phase(ran).values()
    assert done(found) == "ReadTimeout"
    assert found.chunks.accepted == 64
    assert ran.of(PhaseReached)[0].evidence == "64 chunks handed over, HTTP/2 gives no window"


# --- DNS ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", HTTP)
async def test_the_resolvers_thread_ends_when_the_name_server_answers(lab: Lab, protocol: str) -> None:
    ran = await lab.cancelled(cell(protocol, "DNS", delay="700ms"), settle=10.0)
    (found,) = in_phase(ran).values()
    assert said(found) == (CLEAN, {})
    threads = {event.span for event in ran.of(SpanStarted) if event.name == "resolver thread"}
    (end,) = [event for event in ran.of(CleanedUp) if event.span in threads]
    assert found.zero is not None
    assert end.t > found.zero.t
    # The slot was back long before; what the row holds last is the thread.
    assert evidence(found, "resource", Moment.CLEANUP) == end.evidence


async def test_a_lookup_waits_for_a_thread_that_nobody_waits_for(lab: Lab) -> None:
    options = {"resolver_threads": 1, "follow_up": 1, "follow_up_timeout": 10.0}
    ran = await lab.cancelled(cell("http/1.1", "DNS", delay="1s", options=options), settle=12.0)
    (found,) = in_phase(ran).values()
    after = found.others["follow-up"]
    assert after.outcome == "completed"
    threads = sorted(
        (event for event in ran.events if getattr(event, "name", "") == "resolver thread"), key=lambda event: event.t
    )
    assert [type(event) for event in threads] == [SpanStarted, CleanedUp] * 2


@pytest.mark.parametrize("phase", ["DNS", "TLS handshake"])
async def test_a_call_outlives_its_client(lab: Lab, phase: str) -> None:
    """``client.aclose`` does not interrupt it, and the connection that it then opens belongs to nobody."""
    ran = await lab.cancelled(cell("http/1.1", phase, "client.aclose", delay="1500ms"), settle=10.0)
    (found,) = in_phase(ran).values()
    assert found.layer("caller").outcome == "completed"
    assert said(found) == (TOO_LATE, {"sockets": 1})


# --- the idle connection ----------------------------------------------------------------------------------


async def test_only_http1_notices_a_dead_connection_before_it_uses_it(lab: Lab) -> None:
    options = {"follow_up": 1}
    lanes = [cell(protocol, "idle", "server FIN", name=protocol, options=options) for protocol in HTTP]
    found = in_phase(await lab.cancelled(*lanes, settle=2.0))
    assert found["http/1.1"].others["follow-up"].outcome == "completed"
    assert said(found["http/1.1"]) == (CLEAN, {})
    after = found["http/2"].others["follow-up"]
    assert (after.outcome, after.evidence.partition(" after ")[0]) == (
        "failed",
        "RemoteProtocolError Server disconnected",
    )


# --- edges, servers, clients, TLS -------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", HTTP)
async def test_anyios_scope_cancels_as_well(lab: Lab, protocol: str) -> None:
    ran = await lab.cancelled(cell(protocol, "response body", options={"edge": "anyio"}), settle=0.4)
    (found,) = in_phase(ran).values()
    assert evidence(found, "caller", Moment.DONE) == "CancelScope.cancel(), key"
    assert done(found) == "CancelledError"
    assert said(found)[0] == (CLEAN if protocol == "http/1.1" else ZOMBIE)


async def test_a_framework_that_does_not_tell_its_handler(lab: Lab) -> None:
    lanes = [
        cell("http/1.1", "response body", name="deaf", chunks=120, options={"server": "hypercorn"}),
        cell("http/1.1", "response body", name="watching", options={"server": "hypercorn", "watch": True}),
    ]
    found = in_phase(await lab.cancelled(*lanes, settle=0.6))
    assert found["deaf"].layer("server").first(Moment.DONE) is None
    assert said(found["deaf"])[0] == ZOMBIE
    assert evidence(found["watching"], "server", Moment.DONE)
    assert said(found["watching"])[0] == CLEAN


@pytest.mark.parametrize("protocol", HTTP)
async def test_over_tls_the_wire_shows_records_and_nobody_counts_chunks(lab: Lab, protocol: str) -> None:
    ran = await lab.cancelled(cell(protocol, "response body", tls=True), settle=0.4)
    (found,) = in_phase(ran).values()
    assert {frame.proto for frame in ran.of(FrameSeen)} <= {"tls", "tcp"}
    assert found.chunks.on_wire is None
    assert said(found)[0] == (CLEAN if protocol == "http/1.1" else ZOMBIE)


async def test_httpx2_says_nothing_on_the_wire_either(lab: Lab) -> None:
    lanes = [cell(protocol, "response body", name=protocol, options={"client": "httpx2"}) for protocol in HTTP]
    found = in_phase(await lab.cancelled(*lanes, settle=0.4))
    assert said(found["http/1.1"]) == (CLEAN, {})
    assert said(found["http/2"]) == (ZOMBIE, {"handlers": 1, "streams": 1})


async def test_a_patch_that_does_not_fit_is_not_applied(lab: Lab) -> None:
    # A file that says so is refused; a plan from elsewhere may not be.
    plan = replace(lane("http/2", "response body"), options={"client": "httpx2", "reset": True})
    ran = await lab.ended(lab.fire(plan))
    assert "the patch fits httpcore 1.0.x, and this is httpcore2" in ran.of(RunEnded)[0].detail


async def test_contestants_share_a_run(lab: Lab) -> None:
    """Five clients, one key."""
    lanes = [
        cell("http/1.1", "response body", name="httpx"),
        cell("http/1.1", "response body", name="httpx2", options={"client": "httpx2"}),
        cell("http/2", "response body", name="http/2"),
        cell("http/2", "response body", name="http/2 + reset", options={"reset": True}),
        cell("http/2", "response body", name="over TLS", tls=True),
    ]
    found = in_phase(await lab.cancelled(*lanes, settle=0.4))
    verdicts = {name: said(each)[0] for name, each in found.items()}
    assert verdicts == {"httpx": CLEAN, "httpx2": CLEAN, "http/2": ZOMBIE, "http/2 + reset": CLEAN, "over TLS": ZOMBIE}


async def test_nothing_is_left_of_a_run(lab: Lab) -> None:
    """Whatever httpcore lost, its client was dropped and collected."""
    lanes = [cell("http/2" if protocol == HTTP[1] else HTTP[0], "TLS handshake", name=protocol) for protocol in HTTP]
    ran = await lab.cancelled(*lanes, settle=0.3)
    in_phase(ran)
    assert ran.result["census"]["leaked"] == {}
