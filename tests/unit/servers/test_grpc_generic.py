"""What a generic client needs: reflection and health. The client here knows the server's address and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.kit.grpc_kit import Client, connected
from tests.kit.servers_kit import Servers, attribution

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHAPES = {"Unary": (False, False), "ServerStream": (False, True), "ClientStream": (True, False), "Bidi": (True, True)}


class Generic:
    """Lists, describes and calls over a channel of its own. Blocks: for a thread."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._database)

    def services(self) -> list[str]:
        return list(self._database.get_services())

    def shapes(self, service: str) -> dict[str, tuple[bool, bool]]:
        methods = self._pool.FindServiceByName(service).methods
        return {method.name: (method.client_streaming, method.server_streaming) for method in methods}

    def fields(self, service: str, method: str) -> list[str]:
        request = self._pool.FindServiceByName(service).FindMethodByName(method).input_type
        return [field.name for field in request.fields]

    def stream(self, service: str, method: str, run: int, **asked: Any) -> list[tuple[int, int]]:
        described = self._pool.FindServiceByName(service).FindMethodByName(method)
        request, response = GetMessageClass(described.input_type), GetMessageClass(described.output_type)
        call = self._channel.unary_stream(
            f"/{service}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        messages = call(request(**asked), metadata=tuple(attribution(run).items()), timeout=10)
        return [(message.index, len(message.data)) for message in messages]


async def test_it_lists_describes_and_calls(servers: Servers) -> None:
    run = servers.new_run()

    def all_of_it() -> None:
        with grpc.insecure_channel(servers.grpc) as channel:
            generic = Generic(channel)
            assert generic.services() == [
                "cancelloscope.v1.Slow",
                "grpc.health.v1.Health",
                "grpc.reflection.v1alpha.ServerReflection",
            ]
            assert generic.shapes("cancelloscope.v1.Slow") == SHAPES
            assert generic.fields("cancelloscope.v1.Slow", "Bidi") == [
                *("delay", "chunks", "size", "interval", "behaviour", "linger", "data", "end")
            ]
            assert "Check" in generic.shapes("grpc.health.v1.Health")
            chunks = generic.stream("cancelloscope.v1.Slow", "ServerStream", run, chunks=3, size=9, interval=0)
            assert chunks == [(1, 9), (2, 9), (3, 9)]

    await asyncio.to_thread(all_of_it)
    assert (await servers.life(run)).completed.evidence == "3 chunks, 27 bytes"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_both_versions_of_reflection_answer(servers: Servers, version: str) -> None:
    async with connected(servers) as client:
        method = client.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        call = method()
        await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="cancelloscope.v1.Chunk"))
        response = await call.read()
        assert len(response.file_descriptor_response.file_descriptor_proto) == 1
        await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="cancelloscope.v1.None"))
        assert (await call.read()).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
        call.cancel()


@pytest.mark.parametrize("service", ["", "cancelloscope.v1.Slow"])
async def test_it_is_healthy(servers: Servers, service: str) -> None:
    async with connected(servers) as client:
        stub = health_pb2_grpc.HealthStub(client.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=service))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


async def test_an_unknown_method_is_unimplemented(servers: Servers) -> None:
    async with connected(servers) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await Client(client.channel).raw("/cancelloscope.v1.Slow/Fast", b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
