"""The gRPC server: ``probes.schema.SERVICE`` on grpc.aio, slow on request.

Traps that this server steps around (grpcio 1.66 to 1.85):

* ``context.cancelled()`` and ``done()`` stay False when the client cancels, a deadline passes or the server stops
  (grpc #36193). The evidence is the exception at the await where the handler was.
* A handler that raises CancelledError of its own accord sends no status, and its client waits for ever (grpc
  #29248). ``Task.cancelling`` tells it apart from a cancel by grpc, and it is answered with CANCELLED.
* Handlers are coroutines that await ``context.write``, because an async generator gets GeneratorExit at its yield.
* A write to a call that is over raises ExecuteBatchError, InternalError, UsageError or asyncio.InvalidStateError.
* ``server.stop(None)`` does not wait for handlers: the registry knows which still run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from probes.schema import SERVER_STREAM, SERVICE, UNARY, Chunk, SlowRequest
from servers.handler import Env, Handler, Told
from servers.registry import Who
from servers.request import NUMBERS, PARAMETERS, Asked, BadRequest, read_asked, read_attribution

PROTOCOL = "grpc"
_OPTIONS = (
    # The estimate of the bandwidth would grow the windows to MiBs, and a stream of a few KiB would never wait.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.so_reuseport", 0),
)
_CALL_IS_OVER = (grpc.aio.BaseError, asyncio.InvalidStateError)
"""What a write to a call that is over raises. ExecuteBatchError, InternalError and UsageError are BaseErrors."""


class GrpcServer:
    def __init__(self, env: Env) -> None:
        self._env = env
        self._server = grpc.aio.server(options=_OPTIONS)
        # Bytes come in as they are: a request that cannot be decoded is the client's error, answered by us.
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(self._unary, response_serializer=Chunk.SerializeToString),
            "ServerStream": grpc.unary_stream_rpc_method_handler(
                self._server_stream, response_serializer=Chunk.SerializeToString
            ),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def start(self, host: str) -> int:
        """Listen on ``host``; the port."""
        port: int = self._server.add_insecure_port(f"{host}:0")
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Cancel all calls. Does not wait for their handlers."""
        await self._server.stop(None)

    async def _unary(self, raw: bytes, context: Any) -> Any:
        asked = await _asked(raw, context)
        chunk = _chunk(1, asked)

        async def work(handler: Handler) -> str:
            await handler.sleep("sleep before response", asked.delay)
            return _respond(handler, asked)

        await self._run(UNARY, asked, context, work)
        return chunk

    async def _server_stream(self, raw: bytes, context: Any) -> None:
        asked = await _asked(raw, context)

        async def work(handler: Handler) -> str:
            await handler.sleep("sleep before first chunk", asked.delay)
            for number in range(1, asked.chunks + 1):
                handler.at(f"write #{number}")
                await context.write(_chunk(number, asked))
                handler.accepted(asked.size)
                await handler.sleep(f"sleep after #{number}", asked.interval)
            return handler.summary

        await self._run(SERVER_STREAM, asked, context, work)

    async def _run(
        self, method: str, asked: Asked, context: Any, work: Callable[[Handler], Coroutine[Any, Any, str]]
    ) -> None:
        run, lane = read_attribution(dict(context.invocation_metadata()))
        who = Who(run, lane, PROTOCOL, _peer(context), method.lstrip("/"))
        handler = Handler(self._env, who, asked.behaviour, lambda error: _told_by(error, context))
        try:
            await handler.run(lambda: work(handler))
        except asyncio.CancelledError:
            if _cancelled_from_outside():
                raise
            await _abort(context, grpc.StatusCode.CANCELLED, "the handler cancelled itself")
        except grpc.aio.AbortError:
            raise
        except _CALL_IS_OVER as error:
            await _abort(context, grpc.StatusCode.CANCELLED, f"the write failed: {error}")
        except Exception as error:  # noqa: BLE001 - the span has told it; the client gets a status
            await _abort(context, grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")


async def _asked(raw: bytes, context: Any) -> Asked:
    """Raises AbortError: the client has been refused with INVALID_ARGUMENT."""
    try:
        request = SlowRequest.FromString(raw)
        values = {name: getattr(request, name) for name in PARAMETERS}
        # proto3 does not tell 0 from absent: where 0 is no value it asks for the default.
        given = {name: value for name, value in values.items() if value or (name in NUMBERS and not NUMBERS[name].low)}
        return read_asked(given)
    except DecodeError:
        reason = "the request is no SlowRequest"
    except BadRequest as error:
        reason = str(error)
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
    raise AssertionError("abort raises")


def _respond(handler: Handler, asked: Asked) -> str:
    """What is returned is written by grpc.aio and can no longer be held back, unless nobody is there to take it."""
    if handler.deserted:
        return f"response of {asked.size} bytes to nobody"
    handler.accepted(asked.size)
    return f"response of {asked.size} bytes"


def _told_by(error: BaseException, context: Any) -> Told | None:
    if isinstance(error, asyncio.CancelledError):
        return Told(f"grpc.aio{_deadline(context)}") if _cancelled_from_outside() else None
    if isinstance(error, _CALL_IS_OVER) and not isinstance(error, grpc.aio.AbortError):
        return Told("the failed write")
    return None


def _cancelled_from_outside() -> bool:
    """Whether somebody called ``cancel()`` on the handler's task: grpc.aio does, once, when the call is over."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _deadline(context: Any) -> str:
    left = context.time_remaining()
    return "" if left is None else f" with {left * 1e3:.0f} ms to the deadline"


async def _abort(context: Any, code: grpc.StatusCode, details: str) -> None:
    """Give the client a status, so that it never waits for ever. Raises AbortError, or CancelledError when the call
    is over in grpc's core, where nobody waits any more."""
    try:
        await context.abort(code, details[:200])
    except grpc.aio.AbortError:
        raise
    except _CALL_IS_OVER as error:
        raise asyncio.CancelledError from error


def _chunk(number: int, asked: Asked) -> Any:
    return Chunk(index=number, data=b"x" * asked.size)


def _peer(context: Any) -> str:
    """``127.0.0.1:50000`` of ``ipv4:127.0.0.1:50000``."""
    text: str = unquote(context.peer())
    return text.partition(":")[2]
