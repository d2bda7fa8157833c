"""A gRPC client for tests: the service's methods, attributed to a run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from probes.schema import SERVER_STREAM, UNARY, Chunk, SlowRequest
from tests.kit.servers_kit import Servers, attribution

# A window of 64 KiB: a stream of a few KiB would be over before it could be cancelled.
OPTIONS = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384))


class Client:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def stream(self, run: int, *, timeout: float | None = None, **asked: Any) -> Any:
        return self._call(self.channel.unary_stream, SERVER_STREAM)(
            SlowRequest(**asked), metadata=tuple(attribution(run).items()), timeout=timeout
        )

    def unary(self, run: int, *, timeout: float | None = None, **asked: Any) -> Any:
        return self._call(self.channel.unary_unary, UNARY)(
            SlowRequest(**asked), metadata=tuple(attribution(run).items()), timeout=timeout
        )

    def raw(self, method: str, data: bytes) -> Any:
        return self.channel.unary_unary(method)(data)

    def _call(self, make: Any, method: str) -> Any:
        return make(method, request_serializer=SlowRequest.SerializeToString, response_deserializer=Chunk.FromString)


@contextlib.asynccontextmanager
async def connected(servers: Servers) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(servers.grpc, options=OPTIONS) as channel:
        yield Client(channel)
