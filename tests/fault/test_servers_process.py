"""The process itself: however it is ended, whatever its handlers do, it is gone within a second or so."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.events import CancelSwallowed, Note, Progress, SpanCancelled
from tests.kit.grpc_kit import connected
from tests.kit.servers_kit import H2Client, Raw, Servers, running


def end_of_file(servers: Servers) -> None:
    assert servers.process.stdin is not None
    servers.process.stdin.close()


def terminate(servers: Servers) -> None:
    servers.process.send_signal(signal.SIGTERM)


def leave(servers: Servers) -> None:
    servers.say(b'{"cmd": "quit"}')


async def gone(servers: Servers) -> float:
    """Wait for the end; the seconds it took."""
    begun = time.monotonic()
    async with asyncio.timeout(10):
        assert await servers.process.wait() == 0
    return time.monotonic() - begun


@pytest.mark.parametrize("end", [end_of_file, terminate, leave])
async def test_every_end_tells_the_handlers(end: Callable[[Servers], None]) -> None:
    async with running() as servers:
        async with (
            await Raw.connect(servers.http) as raw,
            H2Client.connect(servers.http) as h2,
            await Raw.connect(servers.http) as silent,
        ):
            first, second = servers.new_run(), servers.new_run()
            await raw.get("/stream?interval=60", first)
            stream = await h2.request("/stream?interval=60&behaviour=slow-cleanup:0.05", second)
            await servers.sent(first, 1)
            await servers.sent(second, 1)
            end(servers)
            assert await gone(servers) < 2.0
            await raw.rest()
            await h2.until_data(stream, 1024)
            assert await silent.rest() == b""
        await servers.until(lambda: [event for event in servers.of(Progress) if event.state == "stopped"])
    told = [event.evidence for event in servers.of(SpanCancelled)]
    assert told == ["at sleep after #1, told by the server's shutdown"] * 2
    assert "finally ran, cleanup done after" in str(servers.events)
    assert servers.of(Note) == []


@pytest.mark.parametrize("end", [end_of_file, terminate])
async def test_a_handler_that_blocks_the_loop_does_not_hold_it(end: Callable[[Servers], None]) -> None:
    async with running() as servers, await Raw.connect(servers.http) as raw:
        run = servers.new_run()
        # Two steps: the first block lets the loop say that it has begun.
        await raw.get("/stream?delay=0.2&interval=60&behaviour=blocking", run)
        await raw.until(b"x" * 1024)
        end(servers)
        assert await gone(servers) < 2.0


async def test_a_cleanup_that_would_take_long_is_left_behind_and_named() -> None:
    async with running() as servers, await Raw.connect(servers.http) as raw:
        run = servers.new_run()
        await raw.get("/slow-headers?delay=60&behaviour=slow-cleanup:60", run)
        await servers.started(run)
        leave(servers)
        assert await gone(servers) < 2.0
        note = (await servers.until(lambda: servers.of(Note)))[0]
    assert note.text.startswith("servers: left behind: http/1.1 GET /slow-headers from 127.0.0.1:")
    assert note.text.endswith("at cleanup")


@pytest.mark.parametrize("end", [end_of_file, terminate, leave])
@pytest.mark.parametrize("behaviour", ["swallow", "executor", "shielded", "writes-only"])
async def test_a_handler_that_goes_on_is_left_behind_and_named(end: Callable[[Servers], None], behaviour: str) -> None:
    async with running() as servers, H2Client.connect(servers.http) as h2, connected(servers) as grpc:
        over_grpc, over_http = servers.new_run(), servers.new_run()
        call = grpc.unary(over_grpc, delay=60, behaviour=behaviour)
        await h2.request(f"/slow-headers?delay=60&behaviour={behaviour}", over_http)
        await servers.started(over_grpc)
        await servers.started(over_http)
        end(servers)
        assert await gone(servers) < 2.0
        call.cancel()
        await servers.until(lambda: [event for event in servers.of(Progress) if event.state == "stopped"])
    told = servers.of(CancelSwallowed) if behaviour in ("swallow", "writes-only") else servers.of(SpanCancelled)
    assert {event.run for event in told} == {over_grpc, over_http}
    left = {"executor": "only its thread left, ", "shielded": "only its shielded task left, "}.get(behaviour, "")
    ends = {text.partition(f" s, {left}at sleep before ")[2] for text in servers.notes()}
    assert ends == {"response", "head"}
    assert all(text.startswith("servers: left behind: ") for text in servers.notes())


async def test_ctrl_c_does_not_reach_it() -> None:
    async with running() as servers:
        servers.process.send_signal(signal.SIGINT)
        assert await servers.handlers() == {"grpc": 0, "http/1.1": 0, "http/2": 0}


async def test_what_is_no_command_is_noted() -> None:
    async with running() as servers:
        for line in (b"", b"{", b"[]", b'{"cmd": 7}', b'{"cmd": "dance"}', b'"\xff"', b"{}"):
            servers.say(line)
        assert await servers.handlers() == {"grpc": 0, "http/1.1": 0, "http/2": 0}
        notes = servers.notes()
        assert len(notes) == 7
        assert notes[1].startswith("servers: unreadable command '{': ")
        assert notes[4] == 'servers: unknown command \'{"cmd": "dance"}\': handlers, strike, hop and quit are known'


@pytest.mark.parametrize("path", ["/dev/null", __file__])
def test_it_wants_a_pipe(path: str) -> None:
    with Path(path).open() as stdin:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "servers"], check=False, stdin=stdin, capture_output=True, timeout=10
        )
    assert done.returncode == 2
    assert done.stderr == b"servers: stdin must be a pipe: its end of file ends this process\n"


async def test_a_parent_that_dies_takes_it_along() -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-P', '-m', 'servers'], stdin=subprocess.PIPE, stdout=1)\n"
        "time.sleep(60)\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    async with asyncio.timeout(10):
        while b'"ready"' not in await parent.stdout.readline():
            pass
        parent.kill()
        # The child holds the other end of this pipe: its end of file is the child's end.
        assert b'"stopped"' in await parent.stdout.read()
        await parent.wait()
