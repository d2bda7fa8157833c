"""Handlers that do wrong: no client waits for ever, and every end is told for what it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import h2.events as he
import pytest
import pytest_asyncio

from probes.schema import SERVER_STREAM, UNARY, Chunk, SlowRequest
from tests.kit.servers_kit import H2Client, Raw, Servers, attribution, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

WILD = "tests.kit.servers_wild"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[Servers]:
    async with running(WILD) as process:
        yield process
        assert not any((await process.handlers()).values())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def channel(servers: Servers) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(servers.grpc) as channel:
        yield channel


def call(channel: grpc.aio.Channel, run: int, method: str, **asked: Any) -> Any:
    make = channel.unary_unary if method == UNARY else channel.unary_stream
    stub = make(method, request_serializer=SlowRequest.SerializeToString, response_deserializer=Chunk.FromString)
    return stub(SlowRequest(**asked), metadata=tuple(attribution(run).items()), timeout=5)


@pytest.mark.parametrize(
    ("behaviour", "code", "error", "evidence"),
    [
        ("cancels-itself", grpc.StatusCode.CANCELLED, "CancelledError", ""),
        ("raises", grpc.StatusCode.INTERNAL, "ValueError", ": no such luck"),
    ],
)
@pytest.mark.parametrize("method", [UNARY, SERVER_STREAM])
async def test_a_grpc_client_is_answered(
    servers: Servers,
    channel: grpc.aio.Channel,
    behaviour: str,
    code: grpc.StatusCode,
    error: str,
    evidence: str,
    method: str,
) -> None:
    run = servers.new_run()
    started = call(channel, run, method, behaviour=behaviour)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (started if method == UNARY else started.read())
    assert caught.value.code() is code
    life = await servers.life(run)
    assert life.failed.error == error
    at = "sleep before response" if method == UNARY else "sleep before first chunk"
    assert life.failed.evidence == f"at {at}{evidence}"


@pytest.mark.parametrize("behaviour", ["cancels-itself", "raises"])
async def test_an_http_client_is_answered(servers: Servers, behaviour: str) -> None:
    before, in_the_body = servers.new_run(), servers.new_run()
    async with await Raw.connect(servers.http) as raw:
        await raw.get(f"/slow-headers?behaviour={behaviour}", before)
        assert (await raw.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 500 ")
        # The same connection goes on; a body that has begun can only be broken off.
        await raw.get(f"/stream?behaviour={behaviour}", in_the_body)
        assert (await raw.rest()).startswith(b"HTTP/1.1 200 ")
        assert not raw.received.endswith(b"0\r\n\r\n")
    error = "ValueError" if behaviour == "raises" else "CancelledError"
    assert (await servers.life(before)).failed.error == error
    assert (await servers.life(in_the_body)).failed.error == error


@pytest.mark.parametrize("behaviour", ["cancels-itself", "raises"])
async def test_an_http2_client_is_answered(servers: Servers, behaviour: str) -> None:
    before, in_the_body = servers.new_run(), servers.new_run()
    async with H2Client.connect(servers.http) as client:
        stream = await client.request(f"/slow-headers?behaviour={behaviour}", before)
        assert await client.status(stream) == 500
        stream = await client.request(f"/stream?behaviour={behaviour}", in_the_body)
        assert (await client.until(he.StreamReset, stream)).error_code == 2
    assert (await servers.life(before)).failed.evidence.startswith("at sleep before head")
    assert (await servers.life(in_the_body)).failed.evidence.startswith("at sleep before first chunk")


async def test_a_failure_is_noted(servers: Servers) -> None:
    run = servers.new_run()
    async with await Raw.connect(servers.http) as raw:
        await raw.get("/slow-headers?behaviour=raises", run)
        await raw.until(b"\r\n\r\n")
    note = "servers: GET /slow-headers?behaviour=raises failed: ValueError: no such luck"
    await servers.until(lambda: note in servers.notes())
