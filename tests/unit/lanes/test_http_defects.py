"""What httpcore 1.0 does wrong when a call is cancelled at the wrong turn of the loop, each from its exact trigger, and
what the request that comes next gets to feel."""

from __future__ import annotations

import pytest

from probes.events import Signal, SpanFailed, SpanStarted
from probes.state import LaneState
from probes.verdict import CLEAN, LEAK, NOT_CANCELLED, TOO_LATE, ZOMBIE
from tests.kit.http_lanes import cell, done, in_phase, said, wire
from tests.kit.lab_kit import PATIENT, Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE = {"pool_size": 1, "follow_up": 1, "follow_up_timeout": 0.3}
"""A pool of one connection, and a request that needs it afterwards."""
NO_SLOT = "PoolTimeout after "


async def by_itself(lab: Lab, protocol: str, phase: str, settle: float = 0.6, **fields: object) -> LaneState:
    """A lane that is cancelled at a step of httpcore's, and not by the key."""
    (found,) = in_phase(await lab.ended(lab.fire(cell(protocol, phase, **fields), settle=settle))).values()
    return found


async def by_key(lab: Lab, protocol: str, phase: str, settle: float = 0.6, **fields: object) -> LaneState:
    (found,) = in_phase(await lab.cancelled(cell(protocol, phase, **fields), settle=settle)).values()
    return found


def other(found: LaneState, role: str = "follow-up") -> tuple[str, str]:
    return found.others[role].outcome, found.others[role].evidence


def no_slot(found: LaneState) -> None:
    outcome, evidence = other(found)
    assert (outcome, evidence.startswith(NO_SLOT)) == ("failed", True), evidence


# --- pool slots -----------------------------------------------------------------------------------------


async def test_a_connection_that_was_just_made_keeps_its_slot(lab: Lab) -> None:
    found = await by_itself(lab, "http/1.1", "TCP connect", options={**ONE, "cancel_at": "connect_tcp.complete"})
    assert found.zero is not None
    assert (found.zero.cause, found.zero.own) == ("task.cancel", True)
    assert found.zero.detail == "1 turn of the loop after connect_tcp.complete"
    assert said(found) == (LEAK, {"pool slots": 1})
    no_slot(found)


async def test_a_queued_request_that_was_just_given_a_connection_keeps_its_slot(lab: Lab) -> None:
    found = await by_itself(lab, "http/1.1", "pool wait", options={**ONE, "cancel_at": "holder closed", "ticks": 0})
    assert said(found) == (LEAK, {"pool slots": 1})
    assert other(found, "holder")[0] == "completed"
    no_slot(found)


async def test_a_second_cancel_interrupts_the_cleanup_of_the_first(lab: Lab) -> None:
    run = lab.fire(cell("http/1.1", "response headers", options={**ONE, "second_cancel": True}), settle=0.6)
    await lab.armed(run)
    lab.cancel()
    ran = await lab.ended(run)
    (found,) = in_phase(ran).values()
    assert [(event.cause, event.how) for event in ran.of(Signal)] == [
        ("key", "task.cancel"),
        ("second cancel", "task.cancel again"),
    ]
    assert said(found) == (ZOMBIE, {"handlers": 1, "pool slots": 1})
    assert wire(found) == ""
    no_slot(found)


async def test_a_complete_response_that_is_being_closed_keeps_its_slot_and_its_request(lab: Lab) -> None:
    options = {**ONE, "cancel_at": "response_closed.started"}
    found = await by_itself(lab, "http/1.1", "response body", chunks=1, interval="0s", options=options)
    assert said(found) == (TOO_LATE, {"pool slots": 1, "requests": 1})
    no_slot(found)


@pytest.mark.parametrize(
    ("phase", "fields", "at"),
    [
        ("TCP connect", {}, {"cancel_at": "connect_tcp.complete"}),
        ("pool wait", {}, {"cancel_at": "holder closed", "ticks": 0}),
        ("response headers", {}, {"second_cancel": True}),
        ("response body", {"chunks": 1, "interval": "0s"}, {"cancel_at": "response_closed.started"}),
    ],
    ids=["new", "queued", "second cancel", "closing"],
)
async def test_httpx2_loses_none_of_them(lab: Lab, phase: str, fields: dict[str, str], at: dict[str, object]) -> None:
    plan = cell("http/1.1", phase, options={**ONE, "client": "httpx2", **at}, **fields)
    run = lab.fire(plan, settle=0.6)
    await lab.started(run)
    if "second_cancel" in at:
        await lab.armed(run)
        lab.cancel()
    found = (await lab.ended(run)).lane(phase)
    assert "pool slots" not in found.residue
    assert other(found)[0] == "completed"


# --- HTTP/2 ---------------------------------------------------------------------------------------------


async def test_an_abandoned_download_starves_the_connection(lab: Lab) -> None:
    """What nobody consumes is never credited to the connection's window, 16 MiB of it: in the end nothing comes."""
    options = {"follow_up": 20, "follow_up_timeout": 0.5}
    plan = cell("http/2", "response body", size=1 << 16, chunks=10_000, interval="0s", options=options)
    run = lab.fire(plan, settle=PATIENT)
    await lab.armed(run)
    lab.cancel()
    (failed,) = await lab.until(lambda: [event for event in lab.of(SpanFailed, run) if event.name == "follow-up"])
    assert failed.error == "ReadTimeout"
    lab.stop()
    await lab.ended(run)


async def test_a_hundred_abandoned_requests_are_the_most(lab: Lab) -> None:
    options = {"abandoned": 99, "follow_up": 1}
    found = await by_key(lab, "http/2", "response headers", options=options)
    assert found.others["abandoned"].count == 99
    assert said(found) == (ZOMBIE, {"handlers": 1, "streams": 1})
    outcome, evidence = other(found)
    assert (outcome, evidence.partition(" after ")[0]) == (
        "failed",
        "LocalProtocolError Max outbound streams is 100, 100 open",
    )


async def test_a_cancel_after_the_connection_set_up_breaks_the_semaphore(lab: Lab) -> None:
    options = {"follow_up": 1, "cancel_at": "send_connection_init.complete"}
    found = await by_itself(lab, "http/2", "response headers", options=options)
    assert said(found) == (LEAK, {"pool slots": 1})
    assert other(found)[1].startswith("ValueError semaphore released too many times")


async def test_a_cancelled_write_over_tls_kills_an_innocent_stream(lab: Lab) -> None:
    options = {"upload": "stalled", "sibling": "before"}
    found = await by_key(lab, "http/2", "request body", tls=True, size=1 << 16, options=options)
    assert said(found) == (ZOMBIE, {"handlers": 1})
    assert other(found, "sibling")[1].startswith("ReadError")


async def test_a_read_timeout_kills_an_innocent_stream(lab: Lab) -> None:
    """The sibling has no timeouts at all."""
    options = {"sibling": "after", "sibling_delay": 30.0}
    found = await by_itself(lab, "http/2", "response headers", cause="read timeout", options=options)
    assert done(found) == "ReadTimeout"
    assert other(found, "sibling")[1].startswith("ReadTimeout")


async def test_a_read_timeout_does_not_fire_while_another_stream_reads(lab: Lab) -> None:
    options = {"sibling": "before", "sibling_delay": 30.0}
    plan = cell("http/2", "response headers", "read timeout", delay="2s", timeouts={"read": "300ms"}, options=options)
    ran = await lab.ended(lab.fire(plan, settle=0.2))
    found = ran.lane("response headers")
    assert said(found)[0] == NOT_CANCELLED
    assert found.layer("client").outcome == "completed"


# --- the patch ------------------------------------------------------------------------------------------

RESET = {"reset": True}


async def test_the_patched_client_resets_the_stream(lab: Lab) -> None:
    lanes = [cell("http/2", phase, options=RESET) for phase in ("request body", "response headers", "response body")]
    ran = await lab.cancelled(*lanes)
    for found in in_phase(ran).values():
        assert wire(found) == "client>server RST_STREAM CANCEL(8)"
        assert said(found) == (CLEAN, {})
        (call,) = [event for event in ran.of(SpanStarted, found.name) if event.layer == "client"]
        assert "(patched: RST_STREAM(CANCEL)" in call.evidence


async def test_the_patched_client_over_tls_tells_the_server(lab: Lab) -> None:
    (found,) = in_phase(await lab.cancelled(cell("http/2", "response body", tls=True, options=RESET))).values()
    done_by = found.layer("server").marks[0].evidence
    assert done_by.endswith("told by RST_STREAM CANCEL(8)")


async def test_the_patch_gives_back_streams_and_window(lab: Lab) -> None:
    many = await by_key(lab, "http/2", "response headers", options={**RESET, "abandoned": 120, "follow_up": 1})
    assert other(many)[0] == "completed"
    options = {**RESET, "pool_size": 1, "follow_up": 6, "follow_up_timeout": 5.0}
    big = {"size": 1 << 16, "chunks": 10_000, "interval": "0s"}
    found = await by_key(lab, "http/2", "response body", settle=10.0, options=options, **big)
    assert (found.others["follow-up"].count, other(found)[0]) == (6, "completed")


async def test_the_patch_is_in_no_other_client(lab: Lab) -> None:
    lanes = [
        cell("http/2", "response body", name="patched", options=RESET),
        cell("http/2", "response body", name="plain"),
    ]
    found = in_phase(await lab.cancelled(*lanes, settle=0.4))
    assert said(found["patched"]) == (CLEAN, {})
    assert said(found["plain"]) == (ZOMBIE, {"handlers": 1, "streams": 1})
