"""Faults that lose: what a black hole takes and a cut ends is counted, said as the tap's doing, and never as passed."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from probes.events import TO_CLIENT, TO_SERVER, Direction, FaultPlan
from probes.tap import kernel
from probes.tap.faults import KINDS
from tests.kit.tap_kit import (
    BOTH_WAYS,
    MORE_THAN_KERNELS_TAKE,
    descriptors,
    digest,
    noticed,
    on_both_loops,
    other,
    rigged,
)


@BOTH_WAYS
@pytest.mark.parametrize("early", [True, False], ids=["before accept", "after accept"])
@on_both_loops
async def test_a_black_hole_takes_everything_and_passes_nothing(early: bool, way: Direction) -> None:
    async with rigged() as rig:
        hole = FaultPlan(kind="black-hole", direction=way)
        if early:
            rig.tap.inject(hole)
        source, target = await rig.connect(way)
        if not early:
            rig.tap.inject(hole)
        # More than the kernels would take: it is acknowledged because it is read.
        await source.send(bytes(MORE_THAN_KERNELS_TAKE))
        await rig.record.until(lambda: rig.record.lost(way) == MORE_THAN_KERNELS_TAKE)
        assert target.hears_nothing()
        assert rig.record.count(way) == 0
        await target.send(b"other way")
        assert await source.exactly(9) == b"other way"
        rig.tap.clear("black-hole")
        await source.send(b"and after")
        assert await target.exactly(9) == b"and after"
        assert [data for where, data, _ in rig.record.passed if where == way] == [b"and after"]
        size = MORE_THAN_KERNELS_TAKE
        assert rig.record.over == [(1, size, f"cleared: 1 connection, {size} bytes swallowed")]


@on_both_loops
async def test_a_black_hole_both_ways_is_silence() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="black-hole"))
        for end in (client, server):
            for _ in range(5):
                await end.send(b"1")
                await asyncio.sleep(0)
        await rig.record.until(lambda: sum(size for _, size, _ in rig.record.swallowed) == 10)
        assert (rig.record.lost(TO_SERVER), rig.record.lost(TO_CLIENT)) == (5, 5)
        assert client.hears_nothing()
        assert server.hears_nothing()
        assert rig.record.passed == []


@BOTH_WAYS
@on_both_loops
async def test_what_was_taken_in_before_the_hole_passes_all_the_same(way: Direction) -> None:
    """It has been said to have passed. What comes behind it is swallowed at once, not after it."""
    async with rigged() as rig:
        source, target = await rig.connect(way)
        data = os.urandom(MORE_THAN_KERNELS_TAKE)
        sending = rig.loop.create_task(source.send(data))
        pipe = rig.pipe(way)
        await rig.record.until(lambda: not pipe.reading)
        passed = rig.record.count(way)
        assert pipe.waiting() > 0
        rig.tap.inject(FaultPlan(kind="black-hole", direction=way))
        await sending
        await rig.record.until(lambda: rig.record.lost(way) == len(data) - passed)
        assert await target.digest(passed) == digest(data[:passed])
        assert target.hears_nothing()
        rig.tap.clear()
        await source.send(b"after")
        assert await target.exactly(5) == b"after"


@on_both_loops
async def test_a_hole_that_closes_over_a_far_side_that_does_not_read_holds_up_again() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        data = os.urandom(MORE_THAN_KERNELS_TAKE)
        first = rig.loop.create_task(client.send(data))
        await rig.record.until(lambda: not rig.pipe(TO_SERVER).reading)
        passed = rig.record.count(TO_SERVER)
        rig.tap.inject(FaultPlan(kind="black-hole"))
        await first
        await rig.record.until(lambda: rig.record.lost(TO_SERVER) == len(data) - passed)
        rig.tap.clear()
        second = rig.loop.create_task(client.send(data))
        await rig.quiet()
        assert rig.record.count(TO_SERVER) == passed
        assert await server.digest(passed) == digest(data[:passed])
        assert await server.digest(len(data)) == digest(data)
        await second


@BOTH_WAYS
@on_both_loops
async def test_only_a_connection_that_lost_bytes_is_renewed(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        other, its_target = await rig.connect(way)
        rig.tap.inject(FaultPlan(kind="black-hole"))
        await source.send(b"lost")
        await rig.record.until(lambda: rig.record.lost(way) == 4)
        rig.tap.clear()
        rig.tap.renew()
        assert (await source.ended(), await target.ended()) == ("RST", "RST")
        await other.send(b"whole")
        assert await its_target.exactly(5) == b"whole"
        rig.tap.renew()
        assert len(rig.tap.links) == 1


@BOTH_WAYS
@on_both_loops
async def test_a_black_hole_swallows_fin_until_it_is_cleared(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        rig.tap.inject(FaultPlan(kind="black-hole", direction=way))
        await source.send(b"lost")
        source.fin()
        await rig.record.until(lambda: rig.record.hits)
        assert rig.record.hits == [("black-hole", way, "swallowed", "FIN", 0)]
        assert rig.record.hangups == []
        await target.send(b"still here")
        assert await source.exactly(10) == b"still here"
        assert target.hears_nothing()
        rig.tap.clear()
        assert await target.ended() == "FIN"
        assert rig.record.hangups == [(way, "FIN")]
        target.fin()
        assert await source.ended() == "FIN"
        await rig.record.until(lambda: rig.record.ends)
        assert not rig.tap.links


@BOTH_WAYS
@on_both_loops
async def test_both_sides_may_end_in_a_hole_and_nobody_hears(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        rig.tap.inject(FaultPlan(kind="black-hole", direction=way))
        source.fin()
        target.fin()
        assert await source.ended() == "FIN"
        await rig.record.until(lambda: rig.record.hits)
        await rig.quiet()
        assert target.hears_nothing()
        assert len(rig.tap.links) == 1
        rig.tap.clear()
        assert await target.ended() == "FIN"
        await rig.record.until(lambda: rig.record.ends)
        assert not rig.tap.links


@BOTH_WAYS
@on_both_loops
async def test_a_black_hole_swallows_rst_and_what_comes_back_goes_nowhere(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        rig.tap.inject(FaultPlan(kind="black-hole", direction=way))
        source.rst()
        await rig.record.until(lambda: rig.record.hits)
        assert rig.record.hits == [("black-hole", way, "swallowed", "RST", 0)]
        await target.send(bytes(MORE_THAN_KERNELS_TAKE))
        await rig.record.until(lambda: rig.record.lost(other(way)) == MORE_THAN_KERNELS_TAKE)
        target.fin()
        await rig.record.until(lambda: len(rig.record.hits) == 2)
        assert target.hears_nothing()
        assert (rig.record.passed, rig.record.hangups, rig.record.ends) == ([], [], [])
        rig.tap.clear()
        assert await target.ended() == "RST"
        assert rig.record.hangups == [(way, "RST")]
        assert not rig.tap.links


@on_both_loops
async def test_a_reset_behind_a_fin_is_swallowed_as_well() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="black-hole"))
        client.fin()
        await rig.record.until(lambda: rig.record.hits)
        client.rst()
        await rig.record.until(lambda: len(rig.record.hits) == 2)
        assert [what for *_, what, _ in rig.record.hits] == ["FIN", "RST"]
        assert server.hears_nothing()
        rig.tap.clear()
        assert await server.ended() == "RST"


@on_both_loops
async def test_a_refusal_is_lost_in_a_black_hole_and_the_client_waits() -> None:
    async with rigged() as rig:
        rig.listener.close()
        rig.tap.inject(FaultPlan(kind="black-hole", direction=TO_CLIENT))
        client = await rig.dial()
        await client.send(b"anybody there?")
        await rig.record.until(lambda: rig.record.lost(TO_SERVER) == 14)
        assert client.hears_nothing()
        rig.tap.clear()
        assert await client.ended() == "RST"
        assert not rig.tap.links


@on_both_loops
async def test_a_hole_of_some_seconds_closes_by_itself() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="black-hole", seconds=0.05))
        await client.send(b"lost")
        client.fin()
        assert await server.ended() == "FIN"
        assert rig.record.over == [(1, 4, "after 0.05 s: 1 connection, 4 bytes swallowed")]


@on_both_loops
async def test_a_hole_outranks_a_freeze_and_the_freeze_stays() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        rig.tap.inject(FaultPlan(kind="freeze"))
        await client.send(b"gone")
        await rig.arrived(TO_SERVER, 4)
        rig.tap.inject(FaultPlan(kind="black-hole"))
        await rig.record.until(lambda: rig.record.lost(TO_SERVER) == 4)
        client.fin()
        await rig.record.until(lambda: rig.record.hits)
        rig.tap.clear("black-hole")
        await rig.quiet()
        assert server.hears_nothing()
        rig.tap.clear("freeze")
        assert await server.ended() == "FIN"


@pytest.mark.parametrize("how", ["FIN", "RST"])
@on_both_loops
async def test_a_cut_ends_both_sides_and_is_nobodys_hangup(how: str) -> None:
    async with rigged() as rig:
        pairs = [await rig.pair() for _ in range(3)]
        for client, server in pairs:
            await client.send(b"hello")
            assert await server.exactly(5) == b"hello"
        rig.tap.inject(FaultPlan(kind="cut", how=how))
        assert [await end.ended() for pair in pairs for end in pair] == [how] * 6
        assert not rig.tap.links
        assert rig.record.hangups == []
        assert rig.record.ends == [f"cut with {how} by the tap"] * 3
        assert rig.record.hits == [("cut", "", "cut", how, 0)] * 3
        assert rig.record.over == [(3, 0, "done: 3 connections, 0 bytes had not passed")]
        client, server = await rig.pair()
        await client.send(b"later ones live")
        assert await server.exactly(15) == b"later ones live"


@BOTH_WAYS
@on_both_loops
async def test_a_cut_with_fin_is_one_even_where_bytes_are_unread(way: Direction) -> None:
    """A plain close would send RST to the side whose bytes nobody read."""
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="freeze"))
        source, target = await rig.connect(way)
        await source.send(bytes(5000))
        await rig.arrived(way, 5000)
        rig.tap.inject(FaultPlan(kind="cut", how="FIN"))
        assert (await source.ended(), await target.ended()) == ("FIN", "FIN")
        assert rig.record.hits == [("cut", "", "cut", "FIN", 5000)]


@on_both_loops
async def test_a_cut_reaches_only_the_connections_that_are_named() -> None:
    async with rigged() as rig:
        first = await rig.pair()
        (spared,) = (link.conn for link in rig.tap.links)
        second = await rig.pair()
        (meant,) = (link.conn for link in rig.tap.links if link.conn != spared)
        rig.tap.inject(FaultPlan(kind="cut"), only={meant})
        assert [await end.ended() for end in second] == ["RST", "RST"]
        await first[0].send(b"spared")
        assert await first[1].exactly(6) == b"spared"


@on_both_loops
async def test_a_connection_that_is_being_made_is_cut_too() -> None:
    async with rigged() as rig:
        client = await rig.dial()
        await noticed(lambda: rig.tap.links)
        rig.tap.inject(FaultPlan(kind="cut"))
        assert await client.ended() == "RST"
        assert not rig.tap.links


@on_both_loops
async def test_faults_end_with_their_tap_and_so_do_their_timers() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        for kind in ("freeze", "black-hole"):
            rig.tap.inject(FaultPlan(kind=kind, seconds=0.02))
        rig.tap.inject(FaultPlan(kind="slow", rate=1))
        rig.tap.clear("black-hole")
        rig.tap.close()
        told = list(rig.record.over)
        assert [detail.partition(":")[0] for *_, detail in told] == ["cleared", "the tap closed", "the tap closed"]
        assert await client.ended() == "FIN"
        assert await server.ended() == "FIN"
        past = asyncio.Event()
        rig.loop.call_later(0.06, past.set)
        await past.wait()
        assert rig.record.over == told
        with pytest.raises(RuntimeError, match="closed"):
            rig.tap.inject(FaultPlan(kind="freeze"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cut"])
@on_both_loops
async def test_no_descriptor_is_left(kind: str) -> None:
    async with rigged() as rig:
        before = descriptors()
        rig.tap.inject(FaultPlan(kind=kind, rate=1000))
        for index in range(12):
            client, server = await rig.pair()
            await client.send(b"hello")
            _END[index % len(_END)](client, server)
            await rig.quiet()
            for end in (client, server):
                end.sock.close()
        rig.tap.clear()
        await rig.record.until(lambda: len(rig.record.ends) == 12)
        assert (rig.tap.links, descriptors()) == (set(), before)


_END = (
    lambda client, _server: client.fin(),
    lambda _client, server: server.fin(),
    lambda client, _server: client.rst(),
    lambda _client, server: server.rst(),
)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (FaultPlan(kind="thaw"), "no such fault: 'thaw'; there are freeze, hold"),
        (FaultPlan(kind="freeze", direction="up"), "no such direction: 'up'"),  # type: ignore[arg-type]
        (FaultPlan(kind="freeze", seconds=-1), "freeze cannot stand for -1 s"),
        (FaultPlan(kind="hold", seconds=float("nan")), "hold cannot stand for nan s"),
        (FaultPlan(kind="slow"), "slow needs a rate of at least 1 byte a second, not 0"),
        (FaultPlan(kind="cut", how="ABRT"), "a cut is made with FIN or RST, not 'ABRT'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_fault_that_cannot_be_says_why(fault: FaultPlan, said: str) -> None:
    async with rigged() as rig:
        with pytest.raises(ValueError, match=said):
            rig.tap.inject(fault)
        with pytest.raises(ValueError, match="no such fault: 'thaw'"):
            rig.tap.clear("thaw")
        assert rig.record.begun == []


async def test_a_fault_says_its_figures() -> None:
    async with rigged() as rig:
        rig.tap.inject(FaultPlan(kind="slow", rate=4096, seconds=2))
        rig.tap.inject(FaultPlan(kind="delay-cancel", seconds=0.5))
        rig.tap.inject(FaultPlan(kind="cut"))
        rig.tap.inject(FaultPlan(kind="hold"))
        assert rig.record.begun == [
            ("slow", "4096 bytes a second, for 2 s"),
            ("delay-cancel", "each for 0.5 s"),
            ("cut", "with RST"),
            ("hold", ""),
        ]


@pytest.mark.skipif(not kernel.AVAILABLE, reason="kernel stamps are Linux only")
async def test_what_is_swallowed_is_stamped_by_the_kernel() -> None:
    async with rigged() as rig:
        client, _ = await rig.pair()
        rig.tap.inject(FaultPlan(kind="black-hole"))
        before = time.monotonic_ns()
        await client.send(b"x")
        await rig.record.until(lambda: rig.record.swallowed)
        ((_, _, stamp),) = rig.record.swallowed
        assert stamp.quality == "kernel"
        assert before - stamp.err <= stamp.t <= time.monotonic_ns() + stamp.err
