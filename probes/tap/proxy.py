"""The tap: a loopback TCP proxy that sees everything and changes nothing.

Raw non-blocking sockets on the loop's readiness callbacks, because transports hide what matters here: each
read is stamped by the kernel, forwarded in the same callback, and only then decoded. One direction of one
connection is a ``Pipe``. It holds at most one read's worth of bytes: while the far side does not take them it
does not read on (back-pressure), FIN is passed on as FIN after them, RST as RST.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Protocol

from probes.clock import Clock, Stamp
from probes.events import TO_CLIENT, TO_SERVER, Direction
from probes.tap import kernel

READ_SIZE = 65_536
_HOPS_KEPT = 1_000
_connections = count(1)

Address = tuple[str, int]


class Witness(Protocol):
    """Is told what one connection does. Must return soon and never raise."""

    def bytes_passed(self, direction: Direction, data: bytes, stamp: Stamp) -> None: ...

    def hung_up(self, direction: Direction, how: str, stamp: Stamp) -> None:
        """``how`` is ``FIN`` or ``RST``, sent by the side that ``direction`` starts from."""

    def closed(self, detail: str) -> None: ...


MakeWitness = Callable[[int, str], Witness]
"""(number of the connection, the client's address) -> its witness."""


class Pipe:
    """One direction of a link: what ``source`` sends goes to ``target``."""

    def __init__(self, link: Link, direction: Direction, source: socket.socket, target: socket.socket) -> None:
        self._link, self._direction, self._source, self._target = link, direction, source, target
        self._pending = memoryview(b"")
        self._fin_pending = False
        self._told = False
        self.ended = False
        self.reading = False

    def start(self) -> None:
        self._read_on()

    def _read_on(self) -> None:
        if not self.reading and not self.ended and not self._link.over:
            self.reading = True
            self._link.loop.add_reader(self._source.fileno(), self._readable)

    def stop(self) -> None:
        """Take both callbacks off the loop; the sockets are closed by the link."""
        self._pause()
        self._link.loop.remove_writer(self._target.fileno())

    def _pause(self) -> None:
        if self.reading:
            self.reading = False
            self._link.loop.remove_reader(self._source.fileno())

    def _readable(self) -> None:
        try:
            data, realtime = kernel.receive(self._source, READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.reset()
            return
        clock = self._link.clock
        stamp = clock.now() if realtime is None else clock.from_kernel(realtime)
        if not data:
            self._fin(clock.now())
            return
        self._forward(data)
        if realtime is not None and not self._pending:
            self._link.hops.append(clock.now().t - stamp.t)
        self._link.witness.bytes_passed(self._direction, data, stamp)

    def _forward(self, data: bytes) -> None:
        try:
            sent = self._target.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            # The far side is gone; its own pipe sees how and says so. These bytes have no reader any more.
            return
        if sent < len(data):
            self._pending = memoryview(data)[sent:]
            self._pause()
            self._link.loop.add_writer(self._target.fileno(), self._writable)
            self.check_hangup(kernel.hung_up(self._source))

    def _writable(self) -> None:
        try:
            self._pending = self._pending[self._target.send(self._pending) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._pending = memoryview(b"")
        if self._pending:
            return
        self._link.loop.remove_writer(self._target.fileno())
        if self._fin_pending:
            self._pass_fin()
        else:
            self._read_on()

    def check_hangup(self, how: str) -> None:
        """The kernel says that the source hung up: a pipe that reads sees it in order, one that waits is told now."""
        if not how or self.reading or self._link.over:
            return
        if how == "RST":
            self.reset()
        else:
            self._tell("FIN", self._link.clock.now())

    def _fin(self, stamp: Stamp) -> None:
        self._pause()
        self._tell("FIN", stamp)
        if self._pending:
            self._fin_pending = True
        else:
            self._pass_fin()

    def _pass_fin(self) -> None:
        self.ended = True
        # An error means that the target is gone already, which its own pipe reports.
        with contextlib.suppress(OSError):
            self._target.shutdown(socket.SHUT_WR)
        self._link.pipe_ended()

    def reset(self) -> None:
        """The source reset the connection: say so, and pass it on."""
        self._tell("RST", self._link.clock.now())
        self._link.close(rst=True, detail="RST")

    def _tell(self, how: str, stamp: Stamp) -> None:
        if how == "RST" or not self._told:
            self._told = True
            self._link.witness.hung_up(self._direction, how, stamp)


class Link:
    """One client's connection through the tap."""

    def __init__(self, tap: Tap, client: socket.socket, peer: str) -> None:
        self._tap = tap
        self.loop, self.clock, self.hops = tap.loop, tap.clock, tap.hops
        self.over = False
        self._client = client
        self._server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        for sock in (client, self._server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kernel.enable_stamps(sock)
        self.pipes = (
            Pipe(self, TO_SERVER, client, self._server),
            Pipe(self, TO_CLIENT, self._server, client),
        )
        self.number = next(_connections)
        self.witness = tap.make_witness(self.number, peer)

    def dial(self) -> None:
        """Connect to the server; the client's first bytes wait in the kernel until that is done."""
        code = self._server.connect_ex(self._tap.upstream)
        if code == 0:
            self._flow()
        elif code == errno.EINPROGRESS:
            self.loop.add_writer(self._server.fileno(), self._dialled)
        else:
            self._refused(code)

    def _dialled(self) -> None:
        self.loop.remove_writer(self._server.fileno())
        code = self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == errno.ECONNRESET:
            # It had accepted, and reset the connection before this loop came to notice.
            self.pipes[1].reset()
        elif code:
            self._refused(code)
        else:
            self._flow()

    def _refused(self, code: int) -> None:
        self.close(rst=True, detail=f"the server refused: {errno.errorcode.get(code, code)}")

    def _flow(self) -> None:
        self._tap.upstream_sides[self.number] = "{}:{}".format(*self._server.getsockname())
        for sock in (self._client, self._server):
            self._tap.watch.add(sock)
        for pipe in self.pipes:
            pipe.start()

    def hangup(self, fd: int, how: str) -> None:
        self.pipes[0 if fd == self._client.fileno() else 1].check_hangup(how)

    def filenos(self) -> tuple[int, int]:
        return (self._client.fileno(), self._server.fileno())

    def pipe_ended(self) -> None:
        # Both halves ended: keeping the pair open would leak two descriptors for each connection.
        if all(pipe.ended for pipe in self.pipes):
            self.close(detail="FIN both ways")

    def close(self, *, rst: bool = False, detail: str = "") -> None:
        """Close both sides, with RST or FIN, once."""
        if self.over:
            return
        self.over = True
        self.loop.remove_writer(self._server.fileno())
        for pipe in self.pipes:
            pipe.stop()
        self._tap.forget(self)
        for sock in (self._client, self._server):
            if rst:
                kernel.reset(sock)
            else:
                sock.close()
        self.witness.closed(detail)


class Tap:
    """Listens on a free loopback port and links every client to ``upstream``, which may change between links."""

    def __init__(self, make_witness: MakeWitness, upstream: Address, clock: Clock) -> None:
        self.loop = asyncio.get_running_loop()
        self.make_witness, self.upstream, self.clock = make_witness, upstream, clock
        self.hops: deque[int] = deque(maxlen=_HOPS_KEPT)
        """ns from the kernel's receive stamp to the forwarding send's return, of the last reads."""
        self.watch = kernel.HangupWatch()
        self.links: set[Link] = set()
        self.upstream_sides: dict[int, str] = {}
        """By a connection's number: the tap's own address towards the server, which that takes for its client's."""
        self._by_fd: dict[int, Link] = {}
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.kernel_stamps = kernel.enable_stamps(self._listener)

    def start(self, host: str = "127.0.0.1") -> Address:
        """Listen on a free port of ``host``; returns the address. Raises OSError."""
        self._listener.setblocking(False)
        self._listener.bind((host, 0))
        self._listener.listen(128)
        self.loop.add_reader(self._listener.fileno(), self._accept)
        if (fd := self.watch.fileno()) is not None:
            self.loop.add_reader(fd, self._hangups)
        address: Address = self._listener.getsockname()
        return address

    def _accept(self) -> None:
        try:
            client, peer = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        link = Link(self, client, f"{peer[0]}:{peer[1]}")
        self.links.add(link)
        for fd in link.filenos():
            self._by_fd[fd] = link
        link.dial()

    def _hangups(self) -> None:
        for fd, how in self.watch.poll():
            if (link := self._by_fd.get(fd)) is not None:
                link.hangup(fd, how)

    def forget(self, link: Link) -> None:
        self.links.discard(link)
        self.upstream_sides.pop(link.number, None)
        for fd in link.filenos():
            self._by_fd.pop(fd, None)

    def close(self) -> None:
        """Stop listening and cut every link with FIN."""
        self.loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for link in list(self.links):
            link.close(detail="the tap closed")
        if (fd := self.watch.fileno()) is not None:
            self.loop.remove_reader(fd)
        self.watch.close()
