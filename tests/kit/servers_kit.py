"""The real servers process for tests, and clients that can end a connection in every way there is.

``async with running() as servers`` starts ``python -P -m servers``. A test takes a run number of its own
(``servers.new_run()``), so many tests can share one process: its events are found by that number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

import h2.events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes

from probes.codec import decode
from probes.events import (
    ChunkSent,
    CleanedUp,
    Event,
    Listening,
    Note,
    Residue,
    Signal,
    SpanCancelled,
    SpanCompleted,
    SpanFailed,
    SpanStarted,
)
from probes.schema import LANE_HEADER, RUN_HEADER
from probes.tasks import TaskKeeper
from servers.behaviours import BEHAVIOURS

T = TypeVar("T")
E = TypeVar("E", bound=Event)
H = TypeVar("H", bound=h2.events.Event)
LIMIT = 10.0
LANE = "under test"
NO_SUCH_BEHAVIOUR = f"unknown behaviour 'zombie': {', '.join(BEHAVIOURS)} are known"


@dataclass(frozen=True)
class Life:
    """All events of the one handler of a run."""

    started: SpanStarted
    chunks: list[ChunkSent]
    end: SpanCompleted | SpanFailed | SpanCancelled
    cleaned: CleanedUp

    @property
    def cancelled(self) -> SpanCancelled:
        assert isinstance(self.end, SpanCancelled), self.end
        return self.end

    @property
    def completed(self) -> SpanCompleted:
        assert isinstance(self.end, SpanCompleted), self.end
        return self.end

    @property
    def failed(self) -> SpanFailed:
        assert isinstance(self.end, SpanFailed), self.end
        return self.end


class Servers:
    """A servers process that runs."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.events: list[Event] = []
        self.stderr = b""
        self.grpc = ""
        self.http = self.https = self.hypercorn = ""
        self.ca = ""
        self._news = asyncio.Event()
        self._runs = count(1)

    def new_run(self) -> int:
        return next(self._runs)

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.events.append(decode(line.rstrip(b"\n")))
            self._tell()
        self._tell()

    async def overhear(self) -> None:
        assert self.process.stderr is not None
        self.stderr = await self.process.stderr.read()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], T]) -> T:
        """Wait for ``condition`` to become true; it is looked at after every event. Fails after LIMIT seconds."""
        async with asyncio.timeout(LIMIT):
            while not (value := condition()):
                await self._news.wait()
            return value

    def of(self, kind: type[E], run: int | None = None) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and run in (None, event.run)]

    async def started(self, run: int) -> SpanStarted:
        return (await self.until(lambda: self.handlers_of(SpanStarted, run)))[0]

    def handlers_of(self, kind: type[E], run: int) -> list[E]:
        """Events of ``run``'s handler alone, without those of what it holds."""
        return [event for event in self.of(kind, run) if event.layer == "server"]

    async def held(self, run: int) -> tuple[SpanStarted, CleanedUp]:
        """Wait until the one resource of ``run``'s handler is free; its start and its end."""

        def ends() -> list[CleanedUp]:
            return [event for event in self.of(CleanedUp, run) if event.layer == "resource"]

        end = (await self.until(ends))[0]
        start = [event for event in self.of(SpanStarted, run) if event.layer == "resource"]
        assert [event.span for event in start] == [end.span]
        return start[0], end

    async def sent(self, run: int, total: int) -> None:
        """Wait until ``total`` chunks of this run's handler were accepted."""
        await self.until(lambda: len(self.of(ChunkSent, run)) >= total)

    async def life(self, run: int) -> Life:
        """Wait until the handler of ``run`` is cleaned up; it must have had one start, one end and one cleanup."""
        await self.until(lambda: self.handlers_of(CleanedUp, run))
        # What the process says before it answers would show a second end.
        await self.handlers()
        starts, cleanups = self.handlers_of(SpanStarted, run), self.handlers_of(CleanedUp, run)
        ends = [event for event in self.events if isinstance(event, ENDS) and event.run == run]
        assert (len(starts), len(ends), len(cleanups)) == (1, 1, 1), (starts, ends, cleanups)
        chunks = self.of(ChunkSent, run)
        assert [chunk.total for chunk in chunks] == list(range(1, len(chunks) + 1))
        spans = {event.span for event in (starts[0], ends[0], cleanups[0])}
        assert len(spans) == 1
        assert {event.layer for event in (*starts, *ends, *cleanups, *chunks)} == {"server"}
        assert starts[0].seq < ends[0].seq < cleanups[0].seq
        assert starts[0].t <= ends[0].t <= cleanups[0].t
        return Life(starts[0], chunks, ends[0], cleanups[0])

    def say(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")

    def strike(self, run: int, how: str, grace: float | None = None, *, lane: str = LANE) -> None:
        self.say(json.dumps({"cmd": "strike", "run": run, "lane": lane, "how": how, "grace": grace}).encode())

    async def struck(self, run: int, how: str, grace: float | None = None) -> Signal:
        """Have the server act against the client of ``run``, and wait until it has."""
        self.strike(run, how, grace)
        return (await self.until(lambda: self.of(Signal, run)))[0]

    async def handlers(self) -> dict[str, int]:
        """How many handlers run, by protocol."""
        before = len(self.of(Residue))
        self.say(json.dumps({"cmd": "handlers"}).encode())
        return (await self.until(lambda: self.of(Residue)[before:]))[0].held

    async def no_handlers(self) -> None:
        """Wait until none runs: every handler's end is an event, and so is looked at."""
        async with asyncio.timeout(LIMIT):
            while any((await self.handlers()).values()):
                pass

    async def where(self, run: int) -> str:
        """At which await the handler of ``run`` is."""
        async with await Raw.connect(self.http) as raw:
            await raw.send(b"GET /handlers HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            lines = (await raw.rest()).decode().splitlines()
        return next((line.rpartition(", at ")[2] for line in lines if f"run {run} lane {LANE}," in line), "")

    async def until_at(self, run: int, at: str) -> None:
        """Wait until the handler of ``run`` is at the await ``at``."""
        async with asyncio.timeout(LIMIT):
            while await self.where(run) != at:
                pass

    async def stalled(self, run: int) -> str:
        """Wait until the handler of ``run`` is at the same write each time that it is looked at, five times on end."""
        async with asyncio.timeout(LIMIT):
            seen: list[str] = []
            while not (len(seen) >= 5 and len(set(seen[-5:])) == 1 and seen[-1].startswith("write #")):
                seen.append(await self.where(run))
            return seen[-1]

    def notes(self) -> list[str]:
        return [note.text for note in self.of(Note)]


ENDS = (SpanCompleted, SpanFailed, SpanCancelled)


@contextlib.asynccontextmanager
async def running(module: str = "servers", *, may_say: str = "") -> AsyncIterator[Servers]:
    """A servers process for the time of the block; afterwards it must be gone, and have written nothing to stderr but
    what ``may_say`` (a pattern) allows."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", module, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=1 << 24
    )
    servers = Servers(process)
    tasks = TaskKeeper(lambda _name, _error: None)
    pipes = [tasks.start(servers.listen(), name="events"), tasks.start(servers.overhear(), name="stderr")]
    try:
        listening = (await servers.until(lambda: servers.of(Listening)))[0]
        for name, address in listening.addresses.items():
            setattr(servers, name, address)
        servers.ca = listening.ca
        yield servers
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(LIMIT):
                await process.wait()
        except TimeoutError:
            process.kill()
            raise
        await _pipes_end(pipes)
    said = servers.stderr.decode()
    assert re.fullmatch(f"({may_say})?", said), said


async def _pipes_end(pipes: list[asyncio.Task[None]]) -> None:
    async with asyncio.timeout(LIMIT):
        await asyncio.gather(*pipes)


def attribution(run: int) -> dict[str, str]:
    return {RUN_HEADER: str(run), LANE_HEADER: LANE}


class Raw:
    """A TCP client that ends as it is told."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.received = b""

    @classmethod
    async def connect(cls, address: str, *, receive_buffer: int = 0) -> Raw:
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        host, _, port = address.rpartition(":")
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    async def __aenter__(self) -> Raw:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def get(self, target: str, run: int, *, method: str = "GET", headers: str = "") -> None:
        """Send a request's head."""
        own = "".join(f"{name}: {value}\r\n" for name, value in attribution(run).items())
        await self.send(f"{method} {target} HTTP/1.1\r\nhost: x\r\n{own}{headers}\r\n".encode())

    async def some(self) -> bytes:
        """What comes next; empty at the end of file."""
        async with asyncio.timeout(LIMIT):
            data = await asyncio.get_running_loop().sock_recv(self._socket, 1 << 16)
        self.received += data
        return data

    async def until(self, text: bytes) -> bytes:
        """Receive until ``text`` has come; returns and forgets everything up to its end."""
        while text not in self.received:
            assert await self.some(), f"end of file before {text!r}: {self.received!r}"
        end = self.received.index(text) + len(text)
        head, self.received = self.received[:end], self.received[end:]
        return head

    async def rest(self) -> bytes:
        """Everything up to the end of file."""
        while await self.some():
            pass
        return self.received

    def fin(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def rst(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


class H2Client:
    """An HTTP/2 client that credits nothing by itself."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.events: list[h2.events.Event] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, address: str, *, window: int = 65_535) -> AsyncIterator[H2Client]:
        """``window``: bytes that the server may send on one stream before it is credited."""
        async with await Raw.connect(address) as raw:
            client = cls(raw)
            client.h2.initiate_connection()
            client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
            await client.flush()
            yield client

    async def flush(self) -> None:
        await self.raw.send(self.h2.data_to_send())

    async def request(
        self, path: str, run: int, *, method: str = "GET", end: bool = True, extra: list[tuple[str, str]] | None = None
    ) -> int:
        """Send a request's head; the stream's number."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "x"), *(extra or [])]
        self.h2.send_headers(stream, [*head, *attribution(run).items()], end_stream=end)
        await self.flush()
        return stream

    async def until(self, kind: type[H], stream: int | None = None) -> H:
        """Receive until an event of ``kind`` (and stream) has come."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            data = await self.raw.some()
            assert data, f"end of file before {kind.__name__}: {self.events}"
            self.events += self.h2.receive_data(data)
            await self.flush()

    async def status(self, stream: int) -> int:
        """The status of the response on ``stream``."""
        for name, value in (await self.until(h2.events.ResponseReceived, stream)).headers or ():
            if bytes(name) == b":status":
                return int(value)
        raise AssertionError("a response without a status")

    def data(self, stream: int) -> int:
        """Bytes of DATA that have come on ``stream``."""
        return sum(
            len(event.data or b"")
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream
        )

    async def until_data(self, stream: int, size: int) -> None:
        while self.data(stream) < size:
            data = await self.raw.some()
            assert data, "end of file"
            self.events += self.h2.receive_data(data)
            await self.flush()

    async def call(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Call h2's ``method`` and send what comes of it."""
        getattr(self.h2, method)(*args, **kwargs)
        await self.flush()
