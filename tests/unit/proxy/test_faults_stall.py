"""Faults that stall: freeze, hold, slow. Nothing passes too early, and nothing is lost or reordered after."""

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import Any

import pytest

from probes.events import TO_CLIENT, TO_SERVER, Direction, FaultPlan
from probes.tap import kernel
from tests.kit.tap_kit import BOTH_WAYS, MORE_THAN_KERNELS_TAKE, End, digest, on_both_loops, other, rigged

needs_hangup_watch = pytest.mark.skipif(not kernel.AVAILABLE, reason="a hang-up behind unread bytes is told on Linux")
STALLS = pytest.mark.parametrize("kind", ["freeze", "hold"])


async def _crosses(source: End, target: End) -> bool:
    """Whether a byte sent at one end comes out of the other."""
    await source.send(b"!")
    return await target.exactly(1) == b"!"


@STALLS
@BOTH_WAYS
@on_both_loops
async def test_a_stall_from_accept_on_holds_everything_until_it_is_cleared(kind: str, way: Direction) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind=kind, direction=way))
        source, target = await rig.connect(way)
        data = os.urandom(MORE_THAN_KERNELS_TAKE)
        sending = rig.loop.create_task(source.send(data))
        await rig.arrived(way, 100_000)
        assert target.hears_nothing()
        assert rig.record.count(way) == 0
        assert await _crosses(target, source)
        assert not sending.done()
        rig.tap.clear(kind)
        assert await target.digest(len(data)) == digest(data)
        await sending
        assert rig.record.count(way) == len(data)


@BOTH_WAYS
@on_both_loops
async def test_a_frozen_open_connection_flows_on_after_the_thaw(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        assert await _crosses(source, target)
        rig.tap.inject(FaultPlan(kind="freeze", direction=way))
        data = os.urandom(MORE_THAN_KERNELS_TAKE)
        sending = rig.loop.create_task(source.send(data))
        await rig.arrived(way, 100_000)
        assert target.hears_nothing()
        assert await _crosses(target, source)
        assert not sending.done()
        rig.tap.clear()
        assert await target.digest(len(data)) == digest(data)
        await sending


@on_both_loops
async def test_a_freeze_of_both_directions_stops_both() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="freeze"))
        await client.send(b"there")
        await server.send(b"back")
        await rig.arrived(TO_SERVER, 5)
        await rig.arrived(TO_CLIENT, 4)
        assert client.hears_nothing()
        assert server.hears_nothing()
        rig.tap.clear("freeze")
        assert (await server.exactly(5), await client.exactly(4)) == (b"there", b"back")
        assert rig.record.over == [(1, 9, "cleared: 1 connection, 9 bytes waited")]


@BOTH_WAYS
@on_both_loops
async def test_hold_leaves_a_direction_alone_that_has_begun(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        assert await _crosses(source, target)
        rig.tap.inject(FaultPlan(kind="hold", direction=way))
        assert await _crosses(source, target)


@BOTH_WAYS
@on_both_loops
async def test_hold_holds_what_an_open_connection_has_not_said_yet(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        assert await _crosses(target, source)
        rig.tap.inject(FaultPlan(kind="hold", direction=way))
        await source.send(b"first")
        await rig.arrived(way, 5)
        assert target.hears_nothing()
        rig.tap.clear("hold")
        assert await target.exactly(5) == b"first"


@STALLS
@on_both_loops
async def test_a_stall_ends_by_itself_after_its_seconds(kind: str) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind=kind, seconds=0.05))
        begun = time.monotonic()
        client, server = await rig.pair()
        await client.send(b"late")
        assert await server.exactly(4) == b"late"
        # uvloop's timers count whole milliseconds and may be early by one.
        assert time.monotonic() - begun > 0.045
        assert [detail for *_, detail in rig.record.over] == ["after 0.05 s: 1 connection, 4 bytes waited"]


@needs_hangup_watch
@STALLS
@BOTH_WAYS
@on_both_loops
async def test_fin_is_said_at_once_and_passed_after_the_bytes(kind: str, way: Direction) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind=kind, direction=way))
        source, target = await rig.connect(way)
        await source.send(b"last words")
        source.fin()
        await rig.record.until(lambda: rig.record.hangups)
        assert rig.record.hangups == [(way, "FIN")]
        assert rig.record.hits == [(kind, way, "held", "FIN", 0)]
        await rig.quiet()
        assert target.hears_nothing()
        rig.tap.clear()
        assert await target.exactly(10) == b"last words"
        assert await target.ended() == "FIN"
        assert [data for _, data, _ in rig.record.passed] == [b"last words", b""]
        assert rig.record.hangups == [(way, "FIN")]
        assert await _crosses(target, source)


@needs_hangup_watch
@BOTH_WAYS
@on_both_loops
async def test_a_fin_that_came_with_the_freeze_is_said_too(way: Direction) -> None:
    """It lies in the kernel behind unread bytes, and the watch has told of it while the pipe still read."""
    async with rigged() as rig:
        source, target = await rig.connect(way)
        # The kernel's windows grow with what flows; after this they hold more than the pipe reads at once.
        await asyncio.gather(source.send(bytes(8 << 20)), target.exactly(8 << 20))
        before = rig.record.count(way)
        data = os.urandom(150_000)
        await source.send(data)
        source.fin()
        await rig.record.until(lambda: rig.record.count(way) > before)
        rig.tap.inject(FaultPlan(kind="freeze", direction=way))
        passed = rig.record.count(way) - before
        assert passed < len(data)
        await rig.record.until(lambda: rig.record.hangups)
        assert await target.exactly(passed) == data[:passed]
        assert target.hears_nothing()
        rig.tap.clear()
        assert await target.exactly(len(data) - passed) == data[passed:]
        assert await target.ended() == "FIN"
        assert rig.record.hangups == [(way, "FIN")]


@needs_hangup_watch
@STALLS
@BOTH_WAYS
@on_both_loops
async def test_rst_overtakes_what_is_stalled(kind: str, way: Direction) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind=kind, direction=way))
        source, target = await rig.connect(way)
        await source.send(b"unread")
        await rig.arrived(way, 6)
        source.rst()
        assert await target.ended() == "RST"
        assert rig.record.hangups == [(way, "RST")]
        assert rig.record.count(way) == 0
        assert not rig.tap.links


@STALLS
@BOTH_WAYS
@on_both_loops
async def test_the_far_sides_rst_ends_a_stalled_connection(kind: str, way: Direction) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind=kind, direction=way))
        source, target = await rig.connect(way)
        target.rst()
        assert await source.ended() == "RST"
        assert rig.record.hangups == [(other(way), "RST")]
        rig.tap.clear()
        assert not rig.tap.links


@BOTH_WAYS
@on_both_loops
async def test_a_freeze_survives_that_the_far_side_reads_on(way: Direction) -> None:
    """What the pipe had taken in goes out when the far side takes it; that must not start the reading again."""
    async with rigged() as rig:
        source, target = await rig.connect(way)
        data = os.urandom(MORE_THAN_KERNELS_TAKE)
        sending = rig.loop.create_task(source.send(data))
        pipe = rig.pipe(way)
        await rig.record.until(lambda: not pipe.reading)
        rig.tap.inject(FaultPlan(kind="freeze", direction=way))
        taken = rig.record.count(way)
        assert 0 < taken < len(data)
        assert await target.digest(taken) == digest(data[:taken])
        await rig.quiet()
        assert target.hears_nothing()
        assert rig.record.count(way) == taken
        rig.tap.clear()
        assert await target.digest(len(data) - taken) == digest(data[taken:])
        await sending


@BOTH_WAYS
@on_both_loops
async def test_single_bytes_keep_their_order_over_freezes(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        data = os.urandom(300)
        for index in range(0, 300, 3):
            await source.send(data[index : index + 1])
            rig.tap.inject(FaultPlan(kind="freeze", direction=way))
            await source.send(data[index + 1 : index + 2])
            await asyncio.sleep(0)
            rig.tap.clear()
            await source.send(data[index + 2 : index + 3])
        assert await target.exactly(300) == data


@on_both_loops
async def test_what_was_frozen_is_stamped_when_it_passes() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="freeze"))
        await client.send(b"early")
        await rig.arrived(TO_SERVER, 5)
        thawed = time.monotonic_ns()
        rig.tap.clear()
        await server.exactly(5)
        await client.send(b"after")
        await server.exactly(5)
        early, after = (stamp for _, _, stamp in rig.record.passed)
        assert (early.t >= thawed, early.quality) == (True, "user")
        assert after.quality == ("kernel" if kernel.AVAILABLE else "user")
        assert rig.pipe(TO_SERVER).gate is None


@BOTH_WAYS
@on_both_loops
async def test_a_slow_reader_takes_small_portions_at_its_rate(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        rig.tap.inject(FaultPlan(kind="slow", direction=way, rate=100_000))
        data = os.urandom(20_000)
        begun = time.monotonic()
        await source.send(data)
        assert await target.exactly(len(data)) == data
        # One portion passes at once, and a loop's time may be some ms old.
        assert time.monotonic() - begun > 0.2 - 0.02 - 0.03
        assert max(len(piece) for _, piece, _ in rig.record.passed) <= 2_000
        rig.tap.clear()
        assert rig.record.over == [(1, 20_000, "cleared: 1 connection, 20000 bytes slowed")]


@BOTH_WAYS
@on_both_loops
async def test_a_slow_reader_holds_up_the_writer_and_speeds_up_when_cleared(way: Direction) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="slow", direction=way, rate=1000))
        source, target = await rig.connect(way)
        data = os.urandom(MORE_THAN_KERNELS_TAKE)
        sending = rig.loop.create_task(source.send(data))
        await rig.record.until(lambda: rig.record.count(way) >= 40)
        assert not sending.done()
        # At its rate the rest would take hours.
        rig.tap.clear()
        assert await target.digest(len(data)) == digest(data)
        await sending


@needs_hangup_watch
@BOTH_WAYS
@on_both_loops
async def test_fin_comes_behind_what_is_slow(way: Direction) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="slow", direction=way, rate=2_000))
        source, target = await rig.connect(way)
        await source.send(bytes(200))
        source.fin()
        assert len(await target.exactly(200)) == 200
        assert await target.ended() == "FIN"
        assert rig.record.hangups == [(way, "FIN")]
        assert rig.record.passed[-1][1] == b""


@BOTH_WAYS
@on_both_loops
async def test_a_change_of_rate_is_felt_at_once(way: Direction) -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="slow", direction=way, rate=1_000_000))
        source, target = await rig.connect(way)
        rig.tap.inject(FaultPlan(kind="slow", direction=way, rate=1))
        await source.send(b"ab")
        assert await target.exactly(1) == b"a"
        await rig.quiet()
        assert target.hears_nothing()
        rig.tap.clear("slow")
        # Not only when the pause is over that the slow rate had earned.
        assert rig.pipe(way).reading
        assert await target.exactly(1) == b"b"


@pytest.mark.parametrize("seed", range(4))
@on_both_loops
async def test_whatever_stalls_and_thaws_the_streams_stay_whole(seed: int) -> None:
    """Both directions at once, under faults that come and go as bytes arrive."""
    chance = random.Random(seed)
    async with rigged() as rig:
        client, server = await rig.pair()
        there, back = chance.randbytes(3_000_000), chance.randbytes(2_000_000)

        async def read(end: End, size: int) -> bytes:
            got = bytearray()
            while len(got) < size:
                got += await end.exactly(min(size - len(got), chance.randint(1, 90_000)))
                _stir(rig.tap, chance)
            return bytes(got)

        async def stir() -> None:
            # Both directions may be frozen, and then nobody else would clear anything.
            while True:
                await asyncio.sleep(0.001)
                rig.tap.clear(chance.choice([None, "freeze", "slow", "hold", "delay-cancel"]))

        stirring = rig.loop.create_task(stir())
        _, _, got_there, got_back = await asyncio.gather(
            client.send(there), server.send(back), read(server, len(there)), read(client, len(back))
        )
        stirring.cancel()
        assert (digest(got_there), digest(got_back)) == (digest(there), digest(back))
        assert (rig.record.count(TO_SERVER), rig.record.count(TO_CLIENT)) == (len(there), len(back))


def _stir(tap: Any, chance: random.Random) -> None:
    if chance.random() < 0.7:
        kind = chance.choice(["freeze", "freeze", "hold", "slow", "delay-cancel"])
        direction: Direction = chance.choice(["", TO_SERVER, TO_CLIENT])  # type: ignore[assignment]
        tap.inject(FaultPlan(kind=kind, direction=direction, rate=chance.randint(10_000, 40_000_000)))
    else:
        tap.clear()
