"""The servers process: all servers, events out on stdout, commands in on stdin.

Commands, one JSON object a line:

* ``{"cmd": "handlers"}`` is answered by a Residue event;
* ``{"cmd": "strike", "run": 7, "lane": "grpc", "how": "stop", "grace": 0.5}`` has the server act (``servers.strikes``),
  which is answered by a Signal event, or by a note that says why it could not be; a server that was stopped stays so;
* ``{"cmd": "quit"}`` ends the process. So do SIGTERM and the end of file on stdin, which means that the parent is gone.
  All three end it within a second, whatever its handlers do, even one that blocks the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import threading
from typing import Annotated, Any

import msgspec

from probes.events import Listening, Note, Progress, Residue
from probes.outlet import Outlet, read_lines
from probes.sink import Sink
from probes.tasks import TaskKeeper
from servers.behaviours import LONGEST_S
from servers.grpc_server import GrpcServer
from servers.handler import Env
from servers.hops import Hop, Hops
from servers.http.app import HttpServer
from servers.http.hypercorn_server import HypercornServer
from servers.http.tls import make_tls
from servers.registry import Registry
from servers.strikes import strike

PART = "servers"
_HOST = "127.0.0.1"
_STOP_S = 0.25
"""For each step of an orderly end: the calls are cancelled, the handlers leave, the last events go out."""
_LAST_S = 0.9
"""After this the process ends without order."""


class Command(msgspec.Struct):
    """``grace``: seconds, for a strike that stops a server."""

    cmd: str
    run: int = 0
    lane: str = ""
    how: str = ""
    hop: Hop | None = None
    grace: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)] | None = None


class Process:
    """What runs in this process. Used once."""

    def __init__(self, name: str = PART) -> None:
        self._outlet = Outlet()
        self._sink = Sink(name, self._outlet.write)
        self._outlet.sink = self._sink
        self._tasks = TaskKeeper(self._failed)
        self._registry = Registry()
        self._hops = Hops(self._sink, self._tasks)
        env = Env(self._sink, self._registry, self._tasks, self._hops)
        self._grpc = GrpcServer(env)
        self._http = HttpServer(env)
        self._hypercorn = HypercornServer(env)
        self._over = asyncio.Event()

    async def run(self) -> None:
        """From the first event to the last one."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loop_failed)
        # Not loop.add_signal_handler: it would wait for a loop that a handler blocks.
        signal.signal(signal.SIGTERM, lambda *_: self._end(loop))
        self._sink.emit(Progress, part=PART, state="starting")
        tls, ca = make_tls(_HOST)
        ports = {
            "grpc": await self._grpc.start(_HOST),
            "http": await self._http.start(_HOST),
            "https": await self._http.start(_HOST, tls),
            "hypercorn": self._hypercorn.start(_HOST),
        }
        addresses = {name: f"{_HOST}:{port}" for name, port in ports.items()}
        self._sink.emit(Listening, part=PART, addresses=addresses, ca=ca)
        self._sink.emit(Progress, part=PART, state="ready")
        self._tasks.start(self._obey(), name="commands")
        await self._over.wait()
        end_without_order_after(_LAST_S)
        await self._stop()

    async def _obey(self) -> None:
        try:
            async for line in read_lines():
                self._command(line)
        finally:
            self._over.set()

    def _command(self, line: bytes) -> None:
        try:
            command = msgspec.json.decode(line, type=Command)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._note(f"unreadable command {_shown(line)}: {error}")
            return
        if command.cmd == "handlers":
            self._sink.emit(Residue, layer="server", held=self._registry.counts())
        elif command.cmd == "strike":
            self._strike(command)
        elif command.cmd == "hop" and command.hop is not None:
            self._hops.add(command.hop)
        elif command.cmd == "quit":
            self._over.set()
        else:
            self._note(f"unknown command {_shown(line)}: handlers, strike, hop and quit are known")

    def _strike(self, command: Command) -> None:
        why_not = strike(self._sink, self._registry, command.run, command.lane, command.how, command.grace)
        if why_not:
            self._note(why_not)

    async def _stop(self) -> None:
        self._http.stop()
        self._hypercorn.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._grpc.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._registry.idle()
        for line in self._registry.lines(self._sink.clock.now()):
            self._note(f"left behind: {line}")
        self._sink.emit(Progress, part=PART, state="stopped")
        await self._outlet.drain(_STOP_S)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        end_without_order_after(_LAST_S)
        loop.call_soon_threadsafe(self._over.set)

    def _failed(self, name: str, error: BaseException) -> None:
        self._note(f"{name} failed: {type(error).__name__}: {error}")

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        if isinstance(context.get("exception"), asyncio.CancelledError):
            # Python 3.11 reports a stream's connection whose task was cancelled, which hypercorn does when it stops.
            return
        self._note(f"{context.get('message')}: {context.get('exception')!r}")

    def _note(self, text: str) -> None:
        self._sink.emit(Note, text=f"{PART}: {text}")


def end_without_order_after(seconds: float) -> None:
    """End this process in ``seconds`` seconds, unless it has ended by then."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


def watch_stdin(fd: int = 0) -> None:
    """Let this process end soon after the other end of ``fd`` is closed. A thread of its own watches, because a
    handler may block the loop."""
    poll = select.poll()
    # No event is asked for: POLLHUP and POLLERR come unasked, and no byte is taken from the loop's reader.
    poll.register(fd, 0)

    def watch() -> None:
        poll.poll()
        end_without_order_after(_LAST_S)

    threading.Thread(target=watch, name="stdin watch", daemon=True).start()


def _shown(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace"))
