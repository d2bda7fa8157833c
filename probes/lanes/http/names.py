"""A slow DNS, for real: a name server on loopback that takes its time, and a resolver that waits for it in a thread.

asyncio's own resolver calls ``getaddrinfo`` in a thread of an executor, which nobody can interrupt; this one sends its
query (RFC 1035) from such a thread, so that a cancel meets the same thing. The system's resolver cannot be used: where
it asks stands in /etc/resolv.conf, and uvloop resolves in threads of libuv's own.

Only names below ``ZONE`` are asked for. Every other one is refused before anything is sent.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from probes.clock import Clock, Stamp

ZONE = ".cancelloscope.test"
"""No registry will ever hand it out (RFC 6761, 6.2)."""
HOST = "127.0.0.1"
THREADS = min(32, (os.cpu_count() or 1) + 4)
"""As many as asyncio's default executor has."""

_HEAD = struct.Struct("!6H")
_RECORD = struct.Struct("!HHHIH")
_QUESTION_TAIL = b"\x00\x01\x00\x01"
"""Type A, class IN."""
_POINTER = 0xC00C
"""To the name in the question, behind the head (RFC 1035, 4.1.4)."""
_RECURSE, _ANSWER, _RCODE = 0x0100, 0x8180, 0x000F
_LARGEST = 512
_PATIENCE = 30.0
"""Seconds after which a lookup gives up by itself, whatever happens."""


def query(number: int, host: str) -> bytes:
    """A question for the address of ``host``."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in host.split("."))
    return _HEAD.pack(number, _RECURSE, 1, 0, 0, 0) + labels + b"\x00" + _QUESTION_TAIL


def answer(asked: bytes, address: str) -> bytes:
    """The answer to the query ``asked``: one address, not to be kept."""
    (number,) = struct.unpack_from("!H", asked)
    head = _HEAD.pack(number, _ANSWER, 1, 1, 0, 0)
    record = _RECORD.pack(_POINTER, 1, 1, 0, 4) + socket.inet_aton(address)
    return head + asked[_HEAD.size :] + record


def read_answer(number: int, data: bytes) -> str:
    """The address in an answer. Raises gaierror."""
    found, flags, _, answers, _, _ = _HEAD.unpack_from(data)
    if found != number or flags & _RCODE or not answers:
        raise socket.gaierror(socket.EAI_FAIL, "the name server refused")
    return socket.inet_ntoa(data[-4:])


class NameServer(asyncio.DatagramProtocol):
    """Answers every query with ``HOST``, ``delay`` seconds after it came; None: not before ``answer_all``."""

    def __init__(self, delay: float | None, asked: Callable[[], None]) -> None:
        self._delay, self._asked = delay, asked
        self._waiting: list[tuple[bytes, tuple[str, int]]] = []
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> tuple[str, int]:
        """Listen on a free port of loopback; the address."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))
        address: tuple[str, int] = self._transport.get_extra_info("sockname")
        return address

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._waiting.append((data, addr))
        if self._delay is not None:
            asyncio.get_running_loop().call_later(self._delay, self._answer_first)
        self._asked()

    def _answer_first(self) -> None:
        if self._waiting and self._transport is not None:
            data, addr = self._waiting.pop(0)
            self._transport.sendto(answer(data, HOST), addr)

    def answer_all(self) -> None:
        """Keep nobody waiting any longer, now and from now on."""
        self._delay = 0.0
        while self._waiting:
            self._answer_first()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Watch(Protocol):
    """Is told of the threads that look up."""

    def lookup_began(self, host: str, at: Stamp) -> object: ...
    def lookup_ended(self, what: object, host: str, at: Stamp) -> None: ...


class Resolver:
    """Looks names up in threads of its own. ``running``: how many of them are at it."""

    def __init__(self, server: tuple[str, int], clock: Clock, watch: Watch, threads: int = THREADS) -> None:
        self._server, self._clock, self._watch = server, clock, watch
        self._loop = asyncio.get_running_loop()
        # Not the loop's own executor: at its exit the loop would wait for a thread that is stuck.
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="resolver")
        self._spans: dict[int, object] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.running = 0

    async def resolve(self, host: str) -> str:
        """An address of ``host``. Raises gaierror. A cancel leaves the thread to itself."""
        if not host.endswith(ZONE):
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is no name of the lab's")
        return await self._loop.run_in_executor(self._executor, self._lookup, host, secrets.randbits(16))

    def _lookup(self, host: str, number: int) -> str:
        """In a thread."""
        self._say(self._began, host, number)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_PATIENCE)
                sock.connect(self._server)
                sock.send(query(number, host))
                return read_answer(number, sock.recv(_LARGEST))
        except OSError as error:
            raise socket.gaierror(socket.EAI_AGAIN, str(error)) from error
        finally:
            self._say(self._ended, host, number)

    def _say(self, what: Callable[[str, int, Stamp], None], host: str, number: int) -> None:
        self._loop.call_soon_threadsafe(what, host, number, self._clock.now())

    def _began(self, host: str, number: int, at: Stamp) -> None:
        self.running += 1
        self._idle.clear()
        self._spans[number] = self._watch.lookup_began(host, at)

    def _ended(self, host: str, number: int, at: Stamp) -> None:
        self.running -= 1
        self._watch.lookup_ended(self._spans.pop(number), host, at)
        if not self.running:
            self._idle.set()

    async def idle(self) -> None:
        """Return when no thread is at it."""
        await self._idle.wait()

    async def close(self) -> None:
        """Wait for the threads that are at it, and end all."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        await self.idle()
