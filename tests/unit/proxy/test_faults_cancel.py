"""A CancelRequest that comes late or never, told from every other start of a PostgreSQL connection."""

from __future__ import annotations

import asyncio
import struct

import pytest

from probes.events import TO_CLIENT, TO_SERVER, FaultPlan
from tests.kit.tap_kit import End, Rig, on_both_loops, rigged

CANCEL = struct.pack("!IIII", 16, 80877102, 4711, 0xC0FFEE)
LONG_CANCEL = struct.pack("!III", 12 + 32, 80877102, 4711) + bytes(range(32))
SSL, GSSENC = struct.pack("!II", 8, 80877103), struct.pack("!II", 8, 80877104)
STARTUP = struct.pack("!II", 23, 196608) + b"user\0someone\0\0\0"
CLIENT_HELLO = bytes.fromhex("16030100050100000100")
DELAY = FaultPlan(kind="delay-cancel")
LOSE = FaultPlan(kind="lose-cancel")
HELD = ("delay-cancel", TO_SERVER, "held", "CancelRequest", 16)
PASSED = ("delay-cancel", TO_SERVER, "passed on", "CancelRequest", 16)
LOST = ("lose-cancel", TO_SERVER, "lost", "CancelRequest", 16)


async def _sent(rig: Rig, client: End, data: bytes, *, bytewise: bool) -> None:
    """Send ``data`` whole, or so that the tap reads each byte alone."""
    for start in range(0, len(data), 1 if bytewise else len(data)):
        await client.send(data[start : start + (1 if bytewise else len(data))])
        await rig.quiet()


SPLITS = pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])


@SPLITS
@on_both_loops
async def test_a_cancel_request_is_held_until_the_fault_is_cleared(bytewise: bool) -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await _sent(rig, client, CANCEL, bytewise=bytewise)
        await rig.record.until(lambda: rig.record.hits)
        assert rig.record.hits == [HELD]
        assert server.hears_nothing()
        assert rig.record.passed == []
        await server.send(b"other way")
        assert await client.exactly(9) == b"other way"
        rig.tap.clear("delay-cancel")
        assert await server.exactly(16) == CANCEL
        assert rig.record.hits == [HELD, PASSED]
        assert rig.record.over == [(1, 16, "cleared: 1 connection, 16 bytes held")]
        assert [data for way, data, _ in rig.record.passed if way == TO_SERVER] == [CANCEL]


@on_both_loops
async def test_a_cancel_request_passes_by_itself_when_its_time_is_over() -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="delay-cancel", seconds=0.05))
        first, first_server = await rig.pair()
        begun = rig.loop.time()
        await first.send(CANCEL)
        assert await first_server.exactly(16) == CANCEL
        # libuv's time is some ms old when a timer is made.
        assert rig.loop.time() - begun > 0.04
        second, second_server = await rig.pair()
        await second.send(CANCEL)
        assert await second_server.exactly(16) == CANCEL
        assert rig.record.hits == [HELD, PASSED] * 2
        assert rig.record.over == []


@SPLITS
@pytest.mark.parametrize("first", [SSL, GSSENC, GSSENC + SSL], ids=["SSLRequest", "GSSENCRequest", "both"])
@on_both_loops
async def test_a_request_for_encryption_may_come_first(first: bytes, bytewise: bool) -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await _sent(rig, client, first, bytewise=bytewise)
        assert await server.exactly(len(first)) == first
        await server.send(b"N")
        assert await client.exactly(1) == b"N"
        await _sent(rig, client, CANCEL, bytewise=bytewise)
        await rig.record.until(lambda: rig.record.hits)
        assert rig.record.hits == [HELD]
        assert server.hears_nothing()
        rig.tap.clear()
        assert await server.exactly(16) == CANCEL


@on_both_loops
async def test_a_request_for_encryption_and_a_cancel_in_one_piece() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(SSL + CANCEL)
        assert await server.exactly(8) == SSL
        await rig.record.until(lambda: rig.record.hits)
        assert server.hears_nothing()
        rig.tap.clear()
        assert await server.exactly(16) == CANCEL


@SPLITS
@on_both_loops
async def test_a_cancel_key_of_protocol_3_2_is_longer(bytewise: bool) -> None:
    async with rigged() as rig:
        rig.tap.inject(LOSE)
        client, server = await rig.pair()
        await _sent(rig, client, LONG_CANCEL + b"rest", bytewise=bytewise)
        assert await server.exactly(4) == b"rest"
        assert rig.record.hits == [("lose-cancel", TO_SERVER, "lost", "CancelRequest", 44)]


@SPLITS
@pytest.mark.parametrize("fault", [DELAY, LOSE], ids=lambda fault: fault.kind)
@pytest.mark.parametrize(
    "start",
    [STARTUP, CLIENT_HELLO, SSL + STARTUP, b"GET / HTTP/1.1\r\n\r\n", CANCEL[:8].replace(b"\x10", b"\x0f") + bytes(8)],
    ids=["startup", "ClientHello", "SSLRequest and startup", "http", "too short for a cancel"],
)
@on_both_loops
async def test_every_other_start_passes(start: bytes, fault: FaultPlan, bytewise: bool) -> None:
    async with rigged() as rig:
        rig.tap.inject(fault)
        client, server = await rig.pair()
        await _sent(rig, client, start, bytewise=bytewise)
        assert await server.exactly(len(start)) == start
        await client.send(CANCEL)
        assert await server.exactly(16) == CANCEL
        assert rig.record.hits == []
        assert b"".join(data for _, data, _ in rig.record.passed) == start + CANCEL
        assert rig.pipe(TO_SERVER).gate is None


@on_both_loops
async def test_a_session_that_is_open_already_is_none_of_its_business() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        await client.send(STARTUP)
        assert await server.exactly(len(STARTUP)) == STARTUP
        rig.tap.inject(LOSE)
        await client.send(CANCEL)
        assert await server.exactly(16) == CANCEL


@on_both_loops
async def test_a_connection_that_has_said_nothing_yet_is() -> None:
    async with rigged() as rig:
        client, _ = await rig.pair()
        rig.tap.inject(LOSE)
        await client.send(CANCEL)
        await rig.record.until(lambda: rig.record.hits)
        assert rig.record.hits == [LOST]


@on_both_loops
async def test_a_lost_cancel_leaves_its_connection_open_until_somebody_ends_it() -> None:
    async with rigged() as rig:
        rig.tap.inject(LOSE)
        client, server = await rig.pair()
        await client.send(CANCEL)
        await rig.record.until(lambda: rig.record.hits)
        await rig.quiet()
        assert server.hears_nothing()
        assert client.hears_nothing()
        client.fin()
        assert await server.ended() == "FIN"
        assert [data for _, data, _ in rig.record.passed] == [b""]
        rig.tap.clear()
        assert rig.record.over == [(1, 16, "cleared: 1 connection, 16 bytes lost")]


@on_both_loops
async def test_fin_waits_behind_the_cancel_that_is_held() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL)
        client.fin()
        await rig.record.until(lambda: rig.record.hits)
        await rig.quiet()
        assert server.hears_nothing()
        assert rig.record.hangups == []
        rig.tap.clear()
        assert await server.exactly(16) == CANCEL
        assert await server.ended() == "FIN"
        await rig.record.until(lambda: rig.record.hangups)
        assert rig.record.hangups == [(TO_SERVER, "FIN")]


@on_both_loops
async def test_rst_waits_behind_it_as_well_for_it_was_sent() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL)
        await rig.record.until(lambda: rig.record.hits)
        client.rst()
        await rig.quiet()
        assert server.hears_nothing()
        assert rig.record.hangups == []
        rig.tap.clear()
        assert await server.exactly(16) == CANCEL
        assert await server.ended() == "RST"
        assert rig.record.hangups == [(TO_SERVER, "RST")]


@pytest.mark.parametrize("how", ["fin", "rst"])
@on_both_loops
async def test_half_a_head_and_then_the_end_passes_as_it_came(how: str) -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL[:12])
        await rig.quiet()
        assert server.hears_nothing()
        getattr(client, how)()
        assert await server.exactly(12) == CANCEL[:12]
        assert await server.ended() == how.upper()
        assert rig.record.hits == []


@on_both_loops
async def test_half_a_head_passes_when_the_fault_is_cleared() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL[:5])
        await rig.quiet()
        rig.tap.clear()
        assert await server.exactly(5) == CANCEL[:5]
        await client.send(CANCEL[5:])
        assert await server.exactly(11) == CANCEL[5:]


@on_both_loops
async def test_a_server_that_gives_up_first_makes_the_held_cancel_a_lost_one() -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="delay-cancel", seconds=0.5))
        client, server = await rig.pair()
        await client.send(CANCEL)
        await rig.record.until(lambda: rig.record.hits)
        server.rst()
        assert await client.ended() == "RST"
        assert rig.record.hits == [HELD, ("delay-cancel", TO_SERVER, "lost", "CancelRequest", 16)]
        assert rig.record.hangups == [(TO_CLIENT, "RST")]
        told = list(rig.record.hits)
        past = asyncio.Event()
        rig.loop.call_later(0.6, past.set)
        await past.wait()
        assert rig.record.hits == told


@on_both_loops
async def test_a_reset_behind_the_cancel_ends_what_else_was_kept() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        rig.tap.inject(FaultPlan(kind="black-hole", direction=TO_CLIENT))
        client, server = await rig.pair()
        await client.send(CANCEL)
        server.fin()
        await rig.record.until(lambda: len(rig.record.hits) == 2)
        client.rst()
        await rig.quiet()
        rig.tap.clear()
        assert await server.exactly(16) == CANCEL
        await rig.record.until(lambda: rig.record.ends)
        assert rig.record.hangups == [(TO_SERVER, "RST")]


@on_both_loops
async def test_a_cut_takes_the_held_cancel_with_it() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL)
        await rig.record.until(lambda: rig.record.hits)
        rig.tap.inject(FaultPlan(kind="cut"))
        assert (await client.ended(), await server.ended()) == ("RST", "RST")
        assert rig.record.hits[1:] == [
            ("cut", "", "cut", "RST", 16),
            ("delay-cancel", TO_SERVER, "lost", "CancelRequest", 16),
        ]


@on_both_loops
async def test_a_held_cancel_that_is_due_in_a_freeze_waits_for_the_thaw() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL)
        await rig.record.until(lambda: rig.record.hits)
        rig.tap.inject(FaultPlan(kind="freeze"))
        rig.tap.clear("delay-cancel")
        await rig.quiet()
        assert server.hears_nothing()
        rig.tap.clear("freeze")
        assert await server.exactly(16) == CANCEL


@on_both_loops
async def test_a_black_hole_takes_what_is_held_and_the_rst_behind_it() -> None:
    async with rigged() as rig:
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL)
        await rig.record.until(lambda: rig.record.hits)
        client.rst()
        await rig.quiet()
        rig.tap.inject(FaultPlan(kind="black-hole", direction=TO_SERVER))
        assert rig.record.lost(TO_SERVER) == 16
        await rig.record.until(lambda: len(rig.record.hits) == 2)
        assert rig.record.hits == [HELD, ("black-hole", TO_SERVER, "swallowed", "RST", 0)]
        rig.tap.clear("delay-cancel")
        assert server.hears_nothing()
        rig.tap.clear()
        assert await server.ended() == "RST"


@on_both_loops
async def test_a_slow_reader_finds_the_cancel_too() -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="slow", rate=400))
        rig.tap.inject(DELAY)
        client, server = await rig.pair()
        await client.send(CANCEL)
        await rig.record.until(lambda: HELD in rig.record.hits)
        rig.tap.clear("delay-cancel")
        assert await server.exactly(16) == CANCEL
        await asyncio.sleep(0)
        assert rig.record.hits == [HELD, PASSED]
