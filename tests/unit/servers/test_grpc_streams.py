"""Streams from the client and both ways: what is complete and what is cut. Calls that linger after their last chunk."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from probes.schema import SlowRequest
from tests.kit.grpc_kit import Client, connected
from tests.kit.servers_kit import H2Client, Raw, Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUT = "told by the end of its stream without the end mark"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(servers: Servers) -> AsyncIterator[Client]:
    async with connected(servers) as client:
        yield client


async def test_an_upload_that_completes(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.upload(run)
    await call.write(SlowRequest(size=7, data=b"abc"))
    await call.write(SlowRequest(data=b"de"))
    await call.write(SlowRequest(data=b"f", end=True))
    response = await call
    assert (response.index, response.data) == (3, b"x" * 7)
    life = await servers.life(run)
    assert life.completed.evidence == "6 bytes read, response of 7 bytes"
    assert re.fullmatch(r"cancelloscope\.v1\.Slow/ClientStream from 127\.0\.0\.1:\d+", life.started.evidence)
    assert [chunk.total for chunk in life.chunks] == [1]


async def test_an_upload_without_its_end_mark_is_cut_and_its_client_is_told(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.upload(run)
    await call.write(SlowRequest(data=b"abc"))
    await call.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "the stream ended without its end mark: say end in the last message"
    life = await servers.life(run)
    assert (life.cancelled.error, life.cancelled.evidence) == ("UploadCut", f"at read #2, {CUT}")


@pytest.mark.parametrize("behaviour", ["cooperative", "executor", "shielded"])
@pytest.mark.parametrize("bidi", [False, True])
async def test_a_cancelled_upload_is_never_taken_for_a_complete_one(
    servers: Servers, client: Client, bidi: bool, behaviour: str
) -> None:
    for _ in range(20):
        run = servers.new_run()
        call = client.bidi(run) if bidi else client.upload(run)
        await call.write(SlowRequest(data=b"abc", behaviour=behaviour))
        await servers.started(run)
        call.cancel()
        life = await servers.life(run)
        assert life.cancelled.error in ("UploadCut", "CancelledError", "ExecuteBatchError"), life.cancelled


@pytest.mark.parametrize("at", ["read #1", "read #2", "sleep after read #1", "sleep before response"])
async def test_a_cancel_at_each_await_of_an_upload(servers: Servers, client: Client, at: str) -> None:
    run = servers.new_run()
    call = client.upload(run)
    slow = {"sleep after read #1": {"interval": 60}, "sleep before response": {"delay": 60, "end": True}}.get(at, {})
    if at == "read #1":
        # The head goes out with the first message, or by itself when somebody waits for the call.
        await call.wait_for_connection()
    else:
        await call.write(SlowRequest(data=b"abc", **slow))
    await servers.started(run)
    await servers.until_at(run, at)
    call.cancel()
    evidence = (await servers.life(run)).cancelled.evidence
    assert evidence == f"at {at}, told by grpc.aio" or (at.startswith("read") and evidence == f"at {at}, {CUT}")


async def test_every_message_is_answered_until_the_last_one(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.bidi(run)
    for number in (1, 2, 3):
        await call.write(SlowRequest(size=number, interval=0, end=number == 3))
        chunk = await call.read()
        # What the first message asks for holds for all.
        assert (chunk.index, len(chunk.data)) == (number, 1)
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    assert (await servers.life(run)).completed.evidence == "3 chunks, 3 bytes"


async def test_a_server_may_end_both_ways_first(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.bidi(run)
    await call.write(SlowRequest(size=5, chunks=2))
    await call.read()
    await call.write(SlowRequest())
    await call.read()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    assert (await servers.life(run)).completed.evidence == "2 chunks, 10 bytes"


@pytest.mark.parametrize("bidi", [False, True])
async def test_a_call_stays_open_after_its_last_chunk(servers: Servers, client: Client, bidi: bool) -> None:
    run = servers.new_run()
    if bidi:
        call = client.bidi(run)
        await call.write(SlowRequest(linger=60, end=True))
    else:
        call = client.stream(run, chunks=1, linger=60)
    assert (await call.read()).index == 1
    await servers.until_at(run, "sleep after the last chunk")
    call.cancel()
    life = await servers.life(run)
    assert life.cancelled.evidence == "at sleep after the last chunk, told by grpc.aio"
    assert len(life.chunks) == 1


async def test_a_call_that_lingered_ends_well(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    chunks = [chunk async for chunk in client.stream(run, chunks=2, interval=0, linger=0.2)]
    assert len(chunks) == 2
    life = await servers.life(run)
    assert life.completed.t - life.chunks[-1].t >= 195_000_000


async def test_an_http_response_stays_open_after_its_last_chunk(servers: Servers) -> None:
    first, second = servers.new_run(), servers.new_run()
    target = "/stream?chunks=1&size=5&interval=0&linger=60"
    async with await Raw.connect(servers.http) as raw, H2Client.connect(servers.http) as h2:
        await raw.get(target, first)
        await raw.until(b"xxxxx")
        stream = await h2.request(target, second)
        await h2.until_data(stream, 5)
        for run in (first, second):
            await servers.until_at(run, "sleep after the last chunk")
        raw.fin()
        await h2.call("reset_stream", stream, 8)
        for run, told in ((first, "FIN"), (second, "RST_STREAM CANCEL(8)")):
            evidence = (await servers.life(run)).cancelled.evidence
            assert evidence == f"at sleep after the last chunk, told by {told}"


@pytest.mark.parametrize(
    ("asked", "details"),
    [
        ({"behaviour": "swallow:x"}, "swallow takes a whole number of cancels from 1 to 1000, like swallow:2, not 'x'"),
        ({"delay": -1}, "delay must be a number of seconds from 0 to 3600, not '-1.0'"),
    ],
)
@pytest.mark.parametrize("bidi", [False, True])
async def test_a_wrong_first_message_is_refused(
    servers: Servers, client: Client, bidi: bool, asked: dict[str, object], details: str
) -> None:
    run = servers.new_run()
    call = client.bidi(run) if bidi else client.upload(run)
    await call.write(SlowRequest(**asked))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call.read() if bidi else call)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, details)
    life = await servers.life(run)
    assert (life.failed.error, life.failed.evidence) == ("BadRequest", f"at read #1: {details[:120]}")


async def test_a_single_response_cannot_linger(servers: Servers, client: Client) -> None:
    upload = client.upload(servers.new_run())
    await upload.write(SlowRequest(linger=1))
    for call in (client.unary(servers.new_run(), linger=1), upload):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        details = "linger is for a stream of responses: a single one goes out together with its status"
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, details)


async def test_an_upload_of_nothing_is_cut(servers: Servers, client: Client) -> None:
    run = servers.new_run()
    call = client.upload(run)
    await call.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await servers.life(run)).cancelled.evidence == f"at read #1, {CUT}"
