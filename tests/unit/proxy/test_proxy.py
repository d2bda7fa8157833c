"""The tap changes nothing and misses nothing: real sockets through a real tap, on both loops."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from probes.events import TO_CLIENT, TO_SERVER, Direction
from probes.tap import kernel
from tests.kit.tap_kit import BOTH_WAYS, MORE_THAN_KERNELS_TAKE, descriptors, digest, on_both_loops, rigged

needs_hangup_watch = pytest.mark.skipif(not kernel.AVAILABLE, reason="a hang-up behind unread bytes is told on Linux")


@on_both_loops
async def test_bytes_pass_both_ways_unchanged() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        there, back = os.urandom(300_000), os.urandom(70_000)
        _, got = await asyncio.gather(client.send(there), server.exactly(len(there)))
        assert got == there
        _, got = await asyncio.gather(server.send(back), client.exactly(len(back)))
        assert got == back
        assert (rig.record.count(TO_SERVER), rig.record.count(TO_CLIENT)) == (len(there), len(back))


@on_both_loops
async def test_fin_is_passed_on_as_fin_and_leaves_the_other_half_open() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        client.fin()
        assert await server.ended() == "FIN"
        await server.send(b"still here")
        assert await client.exactly(10) == b"still here"
        server.sock.close()
        assert await client.ended() == "FIN"
        await rig.record.until(lambda: rig.record.ends)
        assert rig.record.hangups == [(TO_SERVER, "FIN"), (TO_CLIENT, "FIN")]
        assert not rig.tap.links


@BOTH_WAYS
@on_both_loops
async def test_rst_is_passed_on_as_rst(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        source.rst()
        assert await target.ended() == "RST"
        assert rig.record.hangups == [(way, "RST")]
        assert rig.record.ends == ["RST"]


@BOTH_WAYS
@on_both_loops
async def test_rst_that_comes_together_with_bytes_is_passed_on_after_them(way: Direction) -> None:
    async with rigged() as rig:
        source, target = await rig.connect(way)
        await source.send(b"last words")
        source.rst()
        await rig.record.until(lambda: rig.record.ends)
        assert await target.exactly(10) == b"last words"
        assert await target.ended() == "RST"
        assert rig.record.hangups == [(way, "RST")]
        assert rig.record.count(way) == 10


@BOTH_WAYS
@on_both_loops
async def test_rst_is_no_fin_because_a_send_met_it_first(way: Direction) -> None:
    """The kernel tells an error once, to whoever asks first: the pipe that sends, or the one that reads."""
    async with rigged() as rig:
        for _ in range(10):
            source, target = await rig.connect(way)
            await target.send(b"are you there?")
            source.rst()
            assert await target.ended() == "RST"
            await rig.record.until(lambda: not rig.tap.links)
        assert rig.record.hangups == [(way, "RST")] * 10


@on_both_loops
async def test_a_reader_that_does_not_read_holds_up_the_writer() -> None:
    """Back-pressure: what is under way is bounded by the kernel's buffers, not by the tap's memory."""
    async with rigged() as rig:
        client, server = await rig.pair()
        data = os.urandom(MORE_THAN_KERNELS_TAKE)
        sending = rig.loop.create_task(client.send(data))
        pipe = rig.pipe(TO_SERVER)
        await rig.record.until(lambda: not pipe.reading)
        assert rig.record.count(TO_SERVER) < len(data) // 2
        assert not sending.done()
        assert await server.digest(len(data)) == digest(data)
        await sending
        assert rig.record.count(TO_SERVER) == len(data)


@needs_hangup_watch
@on_both_loops
async def test_a_hangup_behind_unread_bytes_is_told_while_the_pipe_waits() -> None:
    async with rigged() as rig:
        client, _server = await rig.pair()
        sending = rig.loop.create_task(client.send(bytes(MORE_THAN_KERNELS_TAKE)))
        pipe = rig.pipe(TO_SERVER)
        await rig.record.until(lambda: not pipe.reading)
        sending.cancel()
        await asyncio.wait([sending])
        client.fin()
        # The FIN itself is queued behind the bytes that nobody takes; a reset is not.
        client.rst()
        await rig.record.until(lambda: (TO_SERVER, "RST") in rig.record.hangups)
        assert rig.record.ends == ["RST"]


@needs_hangup_watch
@BOTH_WAYS
@on_both_loops
async def test_a_fin_that_is_told_early_is_the_end_of_file_in_its_place(way: Direction) -> None:
    """A decoder must not be told of the end while bytes are still to come."""
    async with rigged() as rig:
        source, target = await rig.connect(way)
        pipe = rig.pipe(way)
        sent = 0
        while pipe.reading:
            await source.send(bytes(100_000))
            sent += 100_000
            await rig.quiet()
        # Whether the tap's last read left anything depends on the kernel's buffers; this it cannot have read, and it is
        # little, so that the FIN behind it finds room in the window.
        await source.send(b"last")
        sent += len(b"last")
        source.fin()
        await rig.record.until(lambda: rig.record.hangups)
        assert rig.record.count(way) < sent
        await target.exactly(sent)
        assert await target.ended() == "FIN"
        assert rig.record.hangups == [(way, "FIN")]
        pieces = [data for where, data, _ in rig.record.passed if where == way]
        assert (pieces[-1], pieces.count(b"")) == (b"", 1)


@on_both_loops
async def test_a_server_that_refuses_resets_the_client() -> None:
    async with rigged() as rig:
        rig.listener.close()
        client = await rig.dial()
        assert await client.ended() == "RST"
        await rig.record.until(lambda: rig.record.ends)
        assert "ECONNREFUSED" in rig.record.ends[0]


@pytest.mark.skipif(not kernel.AVAILABLE, reason="kernel stamps are Linux only")
@on_both_loops
async def test_the_kernel_stamps_before_a_loop_that_is_busy_reads() -> None:
    async with rigged() as rig:
        client, _server = await rig.pair()
        before = time.monotonic_ns()
        client.sock.send(b"x")
        after = time.monotonic_ns()
        busy_until = after + 30_000_000
        while time.monotonic_ns() < busy_until:
            pass
        await rig.record.until(lambda: rig.record.passed)
        stamp = rig.record.passed[0][2]
        assert stamp.quality == "kernel"
        assert before - stamp.err <= stamp.t <= after + stamp.err + 1_000_000
        assert stamp.t < busy_until


@on_both_loops
async def test_a_tap_that_closes_ends_both_sides_with_fin() -> None:
    async with rigged() as rig:
        client, server = await rig.pair()
        rig.tap.close()
        assert (await client.ended(), await server.ended()) == ("FIN", "FIN")
        assert rig.record.ends == ["the tap closed"]
        rig.tap.close()


@on_both_loops
async def test_no_descriptor_is_left() -> None:
    async with rigged() as rig:
        before = descriptors()
        for _ in range(20):
            client, server = await rig.pair()
            await client.send(b"hello")
            await server.exactly(5)
            client.sock.close()
            assert await server.ended() == "FIN"
            server.sock.close()
        await rig.record.until(lambda: len(rig.record.ends) == 20)
        assert descriptors() == before
