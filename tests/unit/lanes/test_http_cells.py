"""Each cause in each phase of an HTTP call in which it can come: who is told, what the wire shows, what is left.

All lanes of a test run at once: a cause, and a lane for each phase.
"""

from __future__ import annotations

import re

import pytest

from probes.catalogue import TIMERS
from probes.events import TO_CLIENT, CleanedUp, FrameSeen
from probes.machine import State
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, LEAK, TOO_LATE, ZOMBIE
from tests.kit.http_lanes import CELLS, HTTP, done, evidence, in_every_phase, in_phase, said, wire
from tests.kit.lab_kit import PATIENT, Lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_CONNECTION = ("DNS", "TCP connect", "pool wait")
OPEN = ("request body", "response headers", "response body")
"""A request is on the wire."""
HANDLER = {"handlers": 1}
STREAM = {"handlers": 1, "streams": 1}
GONE = r"client>server (FIN|RST)"


async def one(lab: Lab, protocol: str, cause: str, settle: float) -> dict[str, LaneState]:
    lanes = in_every_phase(protocol, cause)
    if cause in TIMERS:
        return in_phase(await lab.ended(lab.fire(*lanes, settle=settle)))
    return in_phase(await lab.cancelled(*lanes, settle=settle))


async def test_every_cell_is_in_one_of_these_tests() -> None:
    tried = {"task.cancel", "asyncio.timeout", "client.aclose", "server FIN", "server RST", *_ERRORS}
    assert {cause for _, _, cause in CELLS} == tried


@pytest.mark.parametrize("protocol", HTTP)
@pytest.mark.parametrize("cause", ["task.cancel", "asyncio.timeout"])
async def test_a_task_that_is_cancelled(lab: Lab, protocol: str, cause: str) -> None:
    found = await one(lab, protocol, cause, 0.4)
    assert {done(each) for each in found.values()} == {"CancelledError"}
    assert {each.client.state for each in found.values()} == {State.CANCELLED}
    assert said(found["DNS"]) == (LEAK, {"resolver threads": 1})
    assert said(found["TCP connect"]) == said(found["pool wait"]) == (CLEAN, {})
    # Only an error closes it: a cancel is none, and the socket waits for the collector.
    assert said(found["TLS handshake"]) == (LEAK, {"sockets": 1})
    assert [wire(found[phase]) for phase in (*NO_CONNECTION, "TLS handshake")] == [""] * 4
    for phase in OPEN:
        told_by_connection(found[phase]) if protocol == "http/1.1" else never_told(found[phase])


def told_by_connection(found: LaneState) -> None:
    assert re.fullmatch(GONE, wire(found)), found.name
    assert re.search(r"told by (FIN|RST)", evidence(found, "server", Moment.DONE))
    assert evidence(found, "resource", Moment.CLEANUP).endswith("connection closed")
    assert said(found) == (CLEAN, {})


def never_told(found: LaneState) -> None:
    """HTTP/2: no frame at all, and a handler that works on for nobody."""
    assert wire(found) == evidence(found, "server", Moment.DONE) == evidence(found, "resource", Moment.CLEANUP) == ""
    assert said(found) == (ZOMBIE, STREAM)


_ERRORS = {
    "connect timeout": "ConnectTimeout",
    "read timeout": "ReadTimeout",
    "write timeout": "WriteTimeout",
    "pool timeout": "PoolTimeout",
}


@pytest.mark.parametrize("protocol", HTTP)
@pytest.mark.parametrize("cause", _ERRORS)
async def test_a_timeout_of_httpx(lab: Lab, protocol: str, cause: str) -> None:
    found = await one(lab, protocol, cause, 0.4)
    for phase, each in found.items():
        assert done(each) == _ERRORS[cause], phase
        assert each.zero is not None
        assert each.zero.cause == f"httpx {cause}"
        assert (each.client.state, each.layer("caller").outcome) == (State.FAILED, "failed")
        after_a_timeout(each, protocol)


def after_a_timeout(found: LaneState, protocol: str) -> None:
    if found.name == "DNS":
        assert said(found) == (LEAK, {"resolver threads": 1})
    elif found.name in NO_CONNECTION:
        assert said(found) == (CLEAN, {})
    elif found.name == "TLS handshake":
        assert (wire(found), *said(found)) == ("client>server FIN", CLEAN, {})
    elif protocol == "http/2":
        never_told(found)
    elif found.name == "request body":
        # The kernel keeps the FIN behind all that the peer does not read.
        assert (wire(found), *said(found)) == ("", ZOMBIE, {"handlers": 1, "unsent FIN": 1})
    else:
        told_by_connection(found)


@pytest.mark.parametrize("protocol", HTTP)
async def test_closing_the_client_ends_what_has_a_connection_and_nothing_else(lab: Lab, protocol: str) -> None:
    found = await one(lab, protocol, "client.aclose", 0.8)
    unmoved = {"DNS": {"resolver threads": 1}, "TCP connect": {}, "TLS handshake": {"sockets": 1}}
    for phase, more in unmoved.items():
        assert done(found[phase]) == ""
        assert said(found[phase]) == (LEAK, {"calls": 1, **more})
    # Closing the holder's connection frees the slot, and the queued request goes out as if nothing had been.
    assert said(found["pool wait"])[0] == TOO_LATE
    assert found["pool wait"].client.state is State.COMPLETED
    assert found["pool wait"].others["holder"].outcome == "failed"
    for phase in OPEN:
        assert re.fullmatch("(Read|Write|(Local|Remote)?Protocol)Error.*", done(found[phase])), phase
        assert re.fullmatch(GONE, wire(found[phase]))
        assert said(found[phase]) == (CLEAN, {})
    assert (wire(found["idle"]), *said(found["idle"])) == ("client>server FIN", CLEAN, {})


def cleaned(lab: Lab, run: int) -> set[str]:
    """The lanes of which client, server and resource hold nothing any more; a handshake has no handler."""
    ends = {(event.lane, event.layer) for event in lab.of(CleanedUp, run)}
    layers = dict.fromkeys(OPEN, ("client", "resource", "server")) | {"TLS handshake": ("client",)}
    return {phase for phase, those in layers.items() if {(phase, layer) for layer in those} <= ends}


def dead(lab: Lab, run: int) -> bool:
    """Whether the server's FIN or RST has come to the idle client."""
    frames = lab.of(FrameSeen, run)
    return any(event.lane == "idle" and event.proto == "tcp" and event.direction == TO_CLIENT for event in frames)


@pytest.mark.parametrize("protocol", HTTP)
@pytest.mark.parametrize("how", ["FIN", "RST"])
async def test_the_server_ends_the_connection(lab: Lab, protocol: str, how: str) -> None:
    lanes = in_every_phase(protocol, f"server {how}")
    run = lab.fire(*lanes, settle=PATIENT)
    await lab.armed(run)
    lab.cancel()
    await lab.until(lambda: {*OPEN, "TLS handshake"} <= cleaned(lab, run) and dead(lab, run))
    # The idle connection is never given back, and would keep the run for all of its time.
    lab.stop()
    found = {each.name: each for each in (await lab.ended(run)).state.lanes}
    for phase in OPEN:
        each = found[phase]
        assert wire(each) == f"server>client {how}", phase
        assert evidence(each, "server", Moment.DONE).endswith(f"told by the server's own {how}")
        assert re.fullmatch("(RemoteProtocol|Read|Write)Error.*", done(each)), (phase, done(each))
        assert said(each) == (CLEAN, {})
    handshake, idle = found["TLS handshake"], found["idle"]
    assert (wire(handshake), done(handshake)) == (f"cut by the tap with {how}", "ConnectError")
    assert said(handshake) == (CLEAN, {})
    # Nobody reads an idle connection: the client keeps it, dead, for the next request.
    assert (wire(idle), *said(idle)) == (f"server>client {how}", LEAK, {"dead connections": 1})
