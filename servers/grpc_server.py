"""The gRPC server: ``probes.schema.SERVICE`` on grpc.aio, slow on request, in all four shapes; with reflection and
health, so that any generic client can list it, describe it and call it.

Handlers are coroutines that await ``context.read`` and ``context.write``, because an async generator gets GeneratorExit
at its yield. ``server.stop(None)`` does not wait for handlers: the registry knows which still run.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from probes.schema import BIDI, CLIENT_STREAM, SERVER_STREAM, SERVICE, UNARY, Chunk
from servers.behaviours import Behaviour
from servers.grpc_call import Call, asked_by, chunk, parse
from servers.handler import Env, Handler, linger
from servers.request import Asked, BadRequest
from servers.strikes import Blow, Strikes

_OPTIONS = (
    # The estimate of the bandwidth would grow the windows to MiBs, and a stream of a few KiB would never wait.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.so_reuseport", 0),
)
_SERVICES = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)


class GrpcServer:
    def __init__(self, env: Env) -> None:
        self._env = env
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((_service(self),))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        _reflect(self._server)

    async def start(self, host: str) -> int:
        """Listen on ``host``; the port."""
        await self._health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        port: int = self._server.add_insecure_port(f"{host}:0")
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Cancel all calls. Does not wait for their handlers."""
        await self._server.stop(None)

    # The four shapes ------------------------------------------------------------------------------------

    async def unary(self, raw: bytes, context: Any) -> Any:
        call = Call(self._env.tasks, context)
        asked = await _asked(call, raw, streams=False)

        async def work(handler: Handler) -> str:
            await handler.answer_time("sleep before response", asked.delay)
            return _respond(handler, asked)

        await self._run(UNARY, call, asked.behaviour, work)
        return chunk(1, asked)

    async def server_stream(self, raw: bytes, context: Any) -> None:
        call = Call(self._env.tasks, context)
        asked = await _asked(call, raw, streams=True)

        async def work(handler: Handler) -> str:
            await handler.sleep("sleep before first chunk", asked.delay)
            for number in range(1, asked.chunks + 1):
                await _write(handler, call, number, asked)
            await linger(handler, asked.linger)
            return handler.summary

        await self._run(SERVER_STREAM, call, asked.behaviour, work)

    async def client_stream(self, messages: object, context: Any) -> Any:
        del messages
        call = Call(self._env.tasks, context)
        response = Chunk()

        async def work(handler: Handler) -> str:
            handler.at("read #1")
            first = await call.read()
            asked = asked_by(first, streams=False)
            return await handler.behave(asked.behaviour, lambda: upload(handler, first, asked))

        async def upload(handler: Handler, message: Any, asked: Asked) -> str:
            number, size = 1, len(message.data)
            while not message.end:
                await handler.sleep(f"sleep after read #{number}", asked.interval)
                number += 1
                handler.at(f"read #{number}")
                message = await call.read()
                size += len(message.data)
            await handler.sleep("sleep before response", asked.delay)
            response.MergeFrom(chunk(number, asked))
            return f"{size} bytes read, {_respond(handler, asked)}"

        await self._run(CLIENT_STREAM, call, Behaviour(), work)
        return response

    async def bidi(self, messages: object, context: Any) -> None:
        del messages
        call = Call(self._env.tasks, context)

        async def work(handler: Handler) -> str:
            handler.at("read #1")
            first = await call.read()
            asked = asked_by(first, streams=True)
            return await handler.behave(asked.behaviour, lambda: answer(handler, first, asked))

        async def answer(handler: Handler, message: Any, asked: Asked) -> str:
            await handler.sleep("sleep before first chunk", asked.delay)
            number = 1
            await _write(handler, call, number, asked)
            while not message.end and number < asked.chunks:
                number += 1
                handler.at(f"read #{number}")
                message = await call.read()
                await _write(handler, call, number, asked)
            await linger(handler, asked.linger)
            return handler.summary

        await self._run(BIDI, call, Behaviour(), work)

    async def _run(
        self, method: str, call: Call, behaviour: Behaviour, work: Callable[[Handler], Coroutine[Any, Any, str]]
    ) -> None:
        handler = Handler(self._env, call.who(method), behaviour, call.told_by, call.left)
        strikes: Strikes = {
            "abort": lambda blow: handler.interrupt(lambda: self._abort(call, blow)),
            "raise": lambda blow: handler.interrupt(lambda: self._cancel_itself(call, blow)),
            "stop": self._begin_to_stop,
        }
        await call.answer_for(handler.run(lambda: work(handler), strikes))

    # What it does of its own accord ---------------------------------------------------------------------

    async def _abort(self, call: Call, blow: Blow) -> None:
        blow.say("server abort", "context.abort ABORTED", self._env.sink.clock.now())
        await call.abort(grpc.StatusCode.ABORTED, "a strike")

    async def _cancel_itself(self, call: Call, blow: Blow) -> None:
        blow.say("server abort", "raise CancelledError", self._env.sink.clock.now())
        await call.cancel_itself()

    def _begin_to_stop(self, blow: Blow) -> None:
        self._env.tasks.start(self._stop_for(blow), name="grpc server.stop")

    async def _stop_for(self, blow: Blow) -> None:
        blow.say("server stop", f"server.stop({blow.grace})", self._env.sink.clock.now())
        await self._server.stop(blow.grace)


async def _asked(call: Call, raw: bytes, *, streams: bool) -> Asked:
    """Raises AbortError: the client has been refused with INVALID_ARGUMENT."""
    try:
        return asked_by(parse(raw), streams=streams)
    except BadRequest as error:
        reason = str(error)
    await call.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
    raise AssertionError("abort raises")


async def _write(handler: Handler, call: Call, number: int, asked: Asked) -> None:
    handler.at(f"write #{number}")
    await call.write(chunk(number, asked))
    handler.accepted(asked.size)
    await handler.sleep(f"sleep after #{number}", asked.interval)


def _respond(handler: Handler, asked: Asked) -> str:
    """What is returned is written by grpc.aio and can no longer be held back, unless nobody is there to take it."""
    if handler.deserted:
        return f"response of {asked.size} bytes to nobody"
    handler.accepted(asked.size)
    return f"response of {asked.size} bytes"


# --- what it serves -----------------------------------------------------------------------------------


def _service(server: GrpcServer) -> grpc.GenericRpcHandler:
    out = {"response_serializer": Chunk.SerializeToString}
    # Bytes come in as they are: a request that cannot be decoded is the client's error, answered by us.
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(server.unary, **out),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server.server_stream, **out),
        "ClientStream": grpc.stream_unary_rpc_method_handler(server.client_stream, **out),
        "Bidi": grpc.stream_stream_rpc_method_handler(server.bidi, **out),
    }
    return grpc.method_handlers_generic_handler(SERVICE, handlers)


def _reflect(server: grpc.aio.Server) -> None:
    servicer = reflection.aio.ReflectionServicer(_SERVICES)
    handlers = {
        "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
    }
    # Version 1 differs from v1alpha in its name alone, and newer clients ask for it first.
    for name in (reflection.SERVICE_NAME, reflection.SERVICE_NAME.replace("v1alpha", "v1")):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
