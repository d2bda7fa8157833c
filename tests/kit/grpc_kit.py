"""A gRPC client for tests: the service's methods, attributed to a run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc
import grpc.aio

from probes.schema import BIDI, CLIENT_STREAM, SERVER_STREAM, UNARY, Chunk, SlowRequest
from tests.kit.servers_kit import LIMIT, Servers, attribution

# A window of 64 KiB: a stream of a few KiB would be over before it could be cancelled.
OPTIONS = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384))


class Client:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def stream(self, run: int, *, timeout: float | None = None, **asked: Any) -> Any:
        return _stub(self.channel.unary_stream, SERVER_STREAM)(SlowRequest(**asked), **_about(run, timeout))

    def unary(self, run: int, *, timeout: float | None = None, **asked: Any) -> Any:
        return _stub(self.channel.unary_unary, UNARY)(SlowRequest(**asked), **_about(run, timeout))

    def upload(self, run: int, *, timeout: float | None = None) -> Any:
        """Without a request: messages are written to it."""
        return _stub(self.channel.stream_unary, CLIENT_STREAM)(**_about(run, timeout))

    def bidi(self, run: int, *, timeout: float | None = None) -> Any:
        return _stub(self.channel.stream_stream, BIDI)(**_about(run, timeout))

    def raw(self, method: str, data: bytes) -> Any:
        return self.channel.unary_unary(method)(data)


async def within(answer: Awaitable[Any]) -> Any:
    """What is answered, within LIMIT seconds: a call without a deadline could wait for ever."""
    async with asyncio.timeout(LIMIT):
        return await answer


def _stub(make: Any, method: str) -> Any:
    return make(method, request_serializer=SlowRequest.SerializeToString, response_deserializer=Chunk.FromString)


def _about(run: int, timeout: float | None) -> dict[str, Any]:
    return {"metadata": tuple(attribution(run).items()), "timeout": timeout}


@contextlib.asynccontextmanager
async def connected(servers: Servers) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(servers.grpc, options=OPTIONS) as channel:
        yield Client(channel)
