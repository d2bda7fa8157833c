"""One gRPC call as its handler sees it: what grpc.aio raises, and what that means.

Traps that are stepped around here (grpcio 1.66 to 1.85):

* ``context.cancelled()`` and ``done()`` stay False when the client cancels, a deadline passes or the server stops
  (grpc #36193). The evidence is the exception at the await where the handler was.
* A handler that raises CancelledError of its own accord sends no status, and its client waits for ever (grpc
  #29248). ``Task.cancelling`` tells it apart from a cancel by grpc, and it is answered with CANCELLED.
* A write to a call that is over raises ExecuteBatchError, InternalError, UsageError or asyncio.InvalidStateError.
* To a handler that reads, a cancel looks like the end of the client's stream: mostly the end comes first, the
  CancelledError after it or never. So a stream is complete only with an end mark of its own.
* The head is sent together with the first message. When that waits for the client's window and the handler is woken
  for ``context.abort``, the abort sends the head again, the core refuses it, and the client waits for ever. So the head
  goes out by itself, and nothing interrupts that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from probes.schema import Chunk, SlowRequest
from probes.tasks import TaskKeeper, undisturbed
from servers.handler import Told
from servers.hops import HopTimeout
from servers.registry import Who
from servers.request import NUMBERS, PARAMETERS, Asked, BadRequest, read_asked, read_attribution

PROTOCOL = "grpc"
_CALL_IS_OVER = (grpc.aio.BaseError, asyncio.InvalidStateError)
"""What a write to a call that is over raises. ExecuteBatchError, InternalError and UsageError are BaseErrors."""


class UploadCut(Exception):
    """The client's stream ended without its end mark: it was cut, or its client knows of no such mark."""

    def __init__(self) -> None:
        super().__init__("the stream ended without its end mark: say end in the last message")


class Call:
    """What a handler may do with its call."""

    def __init__(self, tasks: TaskKeeper, context: Any) -> None:
        self._tasks, self._context = tasks, context
        self._opened = self._unanswered = False

    def who(self, method: str) -> Who:
        run, lane = read_attribution(dict(self._context.invocation_metadata()))
        # 127.0.0.1:50000 of ipv4:127.0.0.1:50000.
        peer = unquote(self._context.peer()).partition(":")[2]
        return Who(run, lane, PROTOCOL, peer, method.lstrip("/"))

    async def read(self) -> Any:
        """The next message of the client's stream. Raises UploadCut, BadRequest and what a read of a call that is over
        raises."""
        raw = await self._context.read()
        if raw is grpc.aio.EOF:
            raise UploadCut
        return parse(raw)

    async def write(self, chunk: Any) -> None:
        """Raises what a write to a call that is over raises."""
        if not self._opened:
            self._opened = True
            await self._open()
        await self._context.write(chunk)

    async def _open(self) -> None:
        task = self._tasks.start(self._send_head(), name="gRPC head")
        await undisturbed(task)
        if (error := task.result()) is not None:
            raise error

    async def _send_head(self) -> Exception | None:
        try:
            await self._context.send_initial_metadata(())
        except _CALL_IS_OVER as error:
            failed: Exception = error
            return failed
        return None

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        """Give the client a status, so that it never waits for ever. Raises AbortError, or CancelledError when the call
        is over in grpc's core, where nobody waits any more."""
        try:
            await self._context.abort(code, details[:200])
        except grpc.aio.AbortError:
            raise
        except _CALL_IS_OVER as error:
            raise asyncio.CancelledError from error

    async def cancel_itself(self) -> None:
        """Raise CancelledError of the handler's own accord, and let grpc.aio make of it what it does (#29248)."""
        self._unanswered = True
        raise asyncio.CancelledError("of its own accord")

    async def answer_for(self, running: Coroutine[Any, Any, None]) -> None:
        """Await a handler. Whatever ends it, its client gets a status. Raises AbortError and CancelledError."""
        try:
            await running
        except asyncio.CancelledError:
            if self._unanswered or cancelled_from_outside():
                raise
            await self.abort(grpc.StatusCode.CANCELLED, "the handler cancelled itself")
        except grpc.aio.AbortError:
            raise
        except HopTimeout as error:
            await self.abort(grpc.StatusCode.DEADLINE_EXCEEDED, str(error))
        except (BadRequest, UploadCut) as error:
            await self.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except _CALL_IS_OVER as error:
            await self.abort(grpc.StatusCode.CANCELLED, f"the write failed: {error}")
        except Exception as error:  # noqa: BLE001 - the span has told it; the client gets a status
            await self.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    def left(self) -> float | None:
        """Seconds to the caller's deadline; None: it has none."""
        remaining: float | None = self._context.time_remaining()
        return remaining

    def told_by(self, error: BaseException) -> Told | None:
        """How this exception tells that the client is gone (``servers.handler.ToldBy``)."""
        if isinstance(error, asyncio.CancelledError):
            return self._told_by_grpc() if cancelled_from_outside() else None
        if isinstance(error, UploadCut):
            return Told("the end of its stream without the end mark")
        if isinstance(error, _CALL_IS_OVER) and not isinstance(error, grpc.aio.AbortError):
            return Told("the failed write")
        return None

    def _told_by_grpc(self) -> Told:
        denied = "" if self._context.cancelled() else "context.cancelled() False"
        return Told(f"grpc.aio{self._deadline()}", denied=denied)

    def _deadline(self) -> str:
        left = self._context.time_remaining()
        return "" if left is None else f" with {left * 1e3:.0f} ms to the deadline"


def cancelled_from_outside() -> bool:
    """Whether somebody called ``cancel()`` on the handler's task: grpc.aio does, once, when the call is over."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def parse(raw: bytes) -> Any:
    """The message. Raises BadRequest."""
    try:
        return SlowRequest.FromString(raw)
    except DecodeError:
        raise BadRequest("the request is no SlowRequest") from None


def asked_by(request: Any, *, streams: bool) -> Asked:
    """What a request asks for; ``streams``: the response is a stream. Raises BadRequest."""
    values = {name: getattr(request, name) for name in PARAMETERS}
    # proto3 does not tell 0 from absent: where 0 is no value it asks for the default.
    given = {name: value for name, value in values.items() if value or (name in NUMBERS and not NUMBERS[name].low)}
    asked = read_asked(given)
    if asked.linger and not streams:
        raise BadRequest("linger is for a stream of responses: a single one goes out together with its status")
    return asked


def chunk(number: int, asked: Asked) -> Any:
    return Chunk(index=number, data=b"x" * asked.size)
