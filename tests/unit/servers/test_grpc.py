"""The gRPC server against the real process: a cancel at each await, the deadline, wrong requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from probes.events import SpanCompleted
from probes.schema import SERVER_STREAM, UNARY, Chunk, SlowRequest
from probes.tasks import TaskKeeper
from tests.kit.grpc_kit import Client, connected
from tests.kit.servers_kit import LANE, NO_SUCH_BEHAVIOUR, H2Client, Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(servers: Servers) -> AsyncIterator[Client]:
    async with connected(servers) as client:
        yield client


async def test_a_stream_that_completes(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    chunks = [chunk async for chunk in client.stream(run, chunks=3, size=1000, interval=0.001)]
    assert [(chunk.index, len(chunk.data)) for chunk in chunks] == [(1, 1000), (2, 1000), (3, 1000)]
    life = await servers.life(run)
    assert life.completed.evidence == "3 chunks, 3000 bytes"
    assert [(chunk.n, chunk.size, chunk.total) for chunk in life.chunks] == [(1, 1000, 1), (1, 1000, 2), (1, 1000, 3)]
    assert re.fullmatch(r"cancelloscope\.v1\.Slow/ServerStream from 127\.0\.0\.1:\d+", life.started.evidence)
    assert (life.started.run, life.started.lane, life.started.name) == (run, LANE, "handler")
    assert life.cleaned.evidence == "finally ran"


async def test_a_unary_call_that_completes(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    assert len((await client.unary(run, size=7)).data) == 7
    life = await servers.life(run)
    assert life.completed.evidence == "response of 7 bytes"
    assert re.fullmatch(r"cancelloscope\.v1\.Slow/Unary from 127\.0\.0\.1:\d+", life.started.evidence)


@pytest.mark.parametrize("at", ["sleep before response", "sleep before first chunk", "sleep after #1", "write #1"])
async def test_a_cancel_at_each_await(servers: Servers, client: Client, at: str) -> None:
    run = servers.new_run()
    if at == "sleep before response":
        call = client.unary(run, delay=60)
    elif at == "sleep before first chunk":
        call = client.stream(run, delay=60)
    elif at == "sleep after #1":
        call = client.stream(run, interval=60)
        assert (await call.read()).index == 1
        # The client may have the chunk before the server's write returns.
        await servers.sent(run, 1)
    else:
        # Nobody reads: a message of 1 MiB does not fit into the client's window.
        call = client.stream(run, size=1 << 20)
        await servers.started(run)
        await servers.stalled(run)
    await servers.started(run)
    call.cancel()
    life = await servers.life(run)
    told = (life.cancelled.error, life.cancelled.evidence)
    by_cancel = ("CancelledError", f"at {at}, told by grpc.aio")
    # A write that waits for the client's window mostly fails before the task is cancelled.
    assert told == by_cancel or (at, *told) == (
        "write #1",
        "ExecuteBatchError",
        "at write #1, told by the failed write",
    )
    assert len(life.chunks) == (1 if at == "sleep after #1" else 0)


async def test_a_cancelled_task(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.stream(run, interval=60)
    await call.read()
    await servers.sent(run, 1)
    task = TaskKeeper(lambda _name, _error: None).start(call.read(), name="reader")
    await asyncio.sleep(0)
    task.cancel()
    assert (await servers.life(run)).cancelled.evidence == "at sleep after #1, told by grpc.aio"


@pytest.mark.parametrize("unary", [True, False])
async def test_a_deadline(servers: Servers, client: Client, unary: bool) -> None:
    run = servers.new_run()
    call = (client.unary if unary else client.stream)(run, timeout=0.15, delay=60)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call if unary else call.read())
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    evidence = (await servers.life(run)).cancelled.evidence
    match = re.fullmatch(r"at sleep before \S+( \S+)?, told by grpc\.aio with (\d+) ms to the deadline", evidence)
    assert match is not None, evidence
    assert int(match[2]) <= 50


async def test_a_cancel_before_the_deadline_says_how_long_before(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.unary(run, timeout=60, delay=60)
    await servers.started(run)
    call.cancel()
    match = re.search(r"with (\d+) ms to the deadline$", (await servers.life(run)).cancelled.evidence)
    assert match is not None
    # grpc-timeout has eight digits at most, and grpc rounds up.
    assert 50_000 < int(match[1]) < 61_000


@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_a_connection_that_goes(servers: Servers, end: str) -> None:
    run = servers.new_run()
    extra = [("content-type", "application/grpc"), ("te", "trailers")]
    async with H2Client.connect(servers.grpc) as raw:
        stream = await raw.request(SERVER_STREAM, run, method="POST", end=False, extra=extra)
        message = SlowRequest(delay=60).SerializeToString()
        await raw.call("send_data", stream, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
        await servers.started(run)
        raw.raw.fin() if end == "fin" else raw.raw.rst()
        life = await servers.life(run)
    assert life.cancelled.evidence == "at sleep before first chunk, told by grpc.aio"


async def test_slow_cleanup_completes_after_a_cancel(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.stream(run, interval=60, behaviour="slow-cleanup")
    await call.read()
    call.cancel()
    life = await servers.life(run)
    assert 295_000_000 <= life.cleaned.t - life.cancelled.t < 3_000_000_000
    assert re.fullmatch(r"finally ran, cleanup done after \d+ ms", life.cleaned.evidence)


async def test_a_cancel_during_the_cleanup_does_not_cut_it_off(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.stream(run, chunks=1, interval=0, behaviour="slow-cleanup:0.2")
    await call.read()
    await servers.until(lambda: servers.of(SpanCompleted, run))
    call.cancel()
    life = await servers.life(run)
    assert life.completed.evidence == "1 chunk, 1024 bytes"
    assert life.cleaned.t - life.completed.t >= 195_000_000
    assert "cleanup done" in life.cleaned.evidence


@pytest.mark.parametrize(
    ("asked", "details"),
    [
        ({"behaviour": "zombie"}, NO_SUCH_BEHAVIOUR),
        ({"behaviour": "cooperative:3"}, "cooperative takes no argument"),
        ({"chunks": -1}, "chunks must be a whole number of chunks from 1 to 1000000, not '-1'"),
        ({"delay": float("inf")}, "delay must be a number of seconds from 0 to 3600, not 'inf'"),
    ],
)
@pytest.mark.parametrize("unary", [True, False])
async def test_a_wrong_request_is_refused(
    servers: Servers, client: Client, asked: dict[str, Any], details: str, unary: bool
) -> None:
    run = servers.new_run()
    call = (client.unary if unary else client.stream)(run, **asked)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call if unary else call.read())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == details
    await servers.handlers()
    assert [event for event in servers.events if event.run == run] == []


async def test_a_request_that_is_no_message_is_refused(servers: Servers, client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.raw(UNARY, b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the request is no SlowRequest"


async def test_a_guest_without_metadata_gets_the_defaults(servers: Servers, client: Client) -> None:
    before = len(servers.events)
    answer = Chunk.FromString(await client.raw(UNARY, b""))
    assert (answer.index, len(answer.data)) == (1, 1024)
    await servers.until(lambda: len(servers.events) >= before + 4)
    ((run, lane),) = {(event.run, event.lane) for event in servers.events[before:]}
    assert run == 0
    assert lane.startswith("guest ")


async def test_running_calls_are_counted(servers: Servers, client: Client) -> None:
    runs = [servers.new_run() for _ in range(3)]
    calls = [client.unary(run, delay=60) for run in runs]
    for run in runs:
        await servers.started(run)
    assert (await servers.handlers())["grpc"] == 3
    for call in calls:
        call.cancel()
    for run in runs:
        await servers.life(run)
    assert (await servers.handlers())["grpc"] == 0
