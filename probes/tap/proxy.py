"""The tap: a loopback TCP proxy that sees everything and changes nothing.

Raw non-blocking sockets on the loop's readiness callbacks, because transports hide what matters here: each
read is stamped by the kernel, forwarded in the same callback, and only then decoded. One direction of one
connection is a ``Pipe``. It holds at most one read's worth of bytes: while the far side does not take them it
does not read on (back-pressure), FIN is passed on as FIN after them, RST as RST. Faults (``probes.tap.faults``) put
a ``Gate`` in front of a pipe; without one a pipe asks nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import deque
from collections.abc import Callable, Collection
from itertools import count
from typing import Protocol

from probes.clock import Clock, Stamp
from probes.events import TO_CLIENT, TO_SERVER, Direction, FaultPlan
from probes.tap import kernel
from probes.tap.faults import FaultLog, Faults, Unheard
from probes.tap.gate import READ_SIZE, Gate

_HOPS_KEPT = 1_000
_connections = count(1)

Address = tuple[str, int]


class Witness(Protocol):
    """Is told what one connection does. Must return soon and never raise."""

    def bytes_passed(self, direction: Direction, data: bytes, stamp: Stamp) -> None:
        """No ``data`` is the end of file, in its place behind all bytes."""

    def hung_up(self, direction: Direction, how: str, stamp: Stamp) -> None:
        """``how`` is ``FIN`` or ``RST``, sent by the side that ``direction`` starts from. A FIN is told as soon as it
        is there, even while bytes in front of it wait."""

    def closed(self, detail: str) -> None: ...


MakeWitness = Callable[[int, str], Witness]
"""(number of the connection, the client's address) -> its witness."""


class Pipe:
    """One direction of a link: what ``source`` sends goes to ``target``."""

    def __init__(self, link: Link, direction: Direction, source: socket.socket, target: socket.socket) -> None:
        self._link, self._source, self._target = link, source, target
        self.conn, self.direction = link.conn, direction
        self.gate: Gate | None = None
        self._pending = memoryview(b"")
        self._fin_pending = False
        self._told = False
        self.started = False
        self.begun = False
        self.ended = False
        self.reading = False

    @property
    def opposite(self) -> Pipe:
        return next(pipe for pipe in self._link.pipes if pipe is not self)

    def start(self) -> None:
        self.started = True
        self.adjust()

    def adjust(self) -> None:
        """Read on, or do not, as the far side and the gate have it."""
        pending = len(self._pending) > 0
        if not pending if self.gate is None else self.gate.admits(pending):
            self._read_on()
        elif self.reading:
            self._pause()
            self.check_hangup(kernel.hung_up(self._source))

    def _read_on(self) -> None:
        if self.started and not self.reading and not self.ended and not self._link.over:
            self.reading = True
            self._link.loop.add_reader(self._source.fileno(), self._readable)

    def stop(self) -> None:
        """Take both callbacks off the loop; the sockets are closed by the link."""
        self._pause()
        self._link.loop.remove_writer(self._target.fileno())
        if self.gate is not None:
            self.gate.stop()

    def _pause(self) -> None:
        if self.reading:
            self.reading = False
            self._link.loop.remove_reader(self._source.fileno())

    def _readable(self) -> None:
        gate = self.gate
        try:
            data, realtime = kernel.receive(self._source, READ_SIZE if gate is None else gate.portion)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.hang_up("RST")
            return
        if not data:
            self.hang_up("FIN")
            return
        clock = self._link.clock
        stamp = clock.now() if realtime is None else clock.from_kernel(realtime)
        self.begun = True
        if gate is not None:
            gate.came(data, stamp)
            return
        if not self._forward(data):
            return
        if realtime is not None and not self._pending:
            self._link.hops.append(clock.now().t - stamp.t)
        self._passed(data, stamp)

    def pass_on(self, data: bytes, stamp: Stamp) -> None:
        """Forward what the gate has let go; it lets nothing go while something is pending."""
        if self._forward(data):
            self._passed(data, stamp)

    def _passed(self, data: bytes, stamp: Stamp) -> None:
        self._link.witness.bytes_passed(self.direction, data, stamp)
        if self._pending:
            # From here on nobody reads, and nobody would notice.
            self.check_hangup(kernel.hung_up(self._source))

    def _forward(self, data: bytes) -> bool:
        """Send now, or keep for later; False when there is nobody to send to."""
        try:
            sent = self._target.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._no_reader()
            return False
        if sent < len(data):
            self._pending = memoryview(data)[sent:]
            self._pause()
            self._link.loop.add_writer(self._target.fileno(), self._writable)
        return True

    def _no_reader(self) -> None:
        # The far side reset the connection. The kernel tells that once, and has told it here: to the pipe that reads
        # from there it would look like a FIN.
        self._pending = memoryview(b"")
        self.opposite.check_hangup("RST")

    def _writable(self) -> None:
        try:
            self._pending = self._pending[self._target.send(self._pending) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._no_reader()
        if self._pending or self._link.over:
            return
        self._link.loop.remove_writer(self._target.fileno())
        if self._fin_pending:
            self._pass_fin()
        else:
            self.adjust()

    def check_hangup(self, how: str) -> None:
        """The kernel says that the source hung up: a pipe that reads sees it in order, one that waits is told now."""
        if not how or self._link.over:
            return
        if how == "RST":
            # Not left to the loop: uvloop calls a reader once after an error, and then no more (its issue 552).
            while self.reading and kernel.unread(self._source):
                self._readable()
            self.hang_up("RST")
        elif not self.reading and not self._told and (self.gate is None or self.gate.notices("FIN")):
            self._tell("FIN")

    def hang_up(self, how: str) -> None:
        """The source's FIN has its turn, or its RST came: pass it on, if the gate does not keep it."""
        if self._link.over:
            return
        self._pause()
        if self.gate is None or not self.gate.keeps(how):
            self.pass_hangup(how)

    def pass_hangup(self, how: str) -> None:
        """Say that the source hung up, and pass it on."""
        if how == "RST":
            self._tell("RST")
            self._link.close(rst=True, detail="RST")
            return
        self._link.witness.bytes_passed(self.direction, b"", self._link.clock.now())
        self._tell("FIN")
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

    def _tell(self, how: str) -> None:
        if how == "RST" or not self._told:
            self._told = True
            self._link.witness.hung_up(self.direction, how, self._link.clock.now())

    def waiting(self) -> int:
        """Bytes that came and were not passed on yet, here and in the kernel."""
        return len(self._pending) + kernel.unread(self._source) + (self.gate.kept if self.gate is not None else 0)


class Link:
    """One client's connection through the tap."""

    def __init__(self, tap: Tap, client: socket.socket, peer: str) -> None:
        self._tap = tap
        self.conn = next(_connections)
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
        self.witness = tap.make_witness(self.conn, peer)

    @property
    def paths(self) -> tuple[Pipe, Pipe]:
        """What faults act on: both directions."""
        return self.pipes

    def dial(self) -> None:
        """Connect to the server; the client's first bytes wait in the kernel until that is done."""
        code = self._server.connect_ex(self._tap.upstream)
        if code == 0:
            self._flow()
        elif code == errno.EINPROGRESS:
            self.loop.add_writer(self._server.fileno(), self._dialled)
        else:
            self._failed(code)

    def _dialled(self) -> None:
        self.loop.remove_writer(self._server.fileno())
        code = self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(code)
        else:
            self._flow()

    def _failed(self, code: int) -> None:
        answer = self.pipes[1]
        if code == errno.ECONNRESET:
            # It had accepted, and reset the connection before this loop came to notice.
            answer.hang_up("RST")
        elif answer.gate is None or not answer.gate.keeps("RST"):
            self.close(rst=True, detail=f"the server refused: {errno.errorcode.get(code, code)}")
        if not self.over:
            # A black hole took the server's answer: the client may not notice.
            self._flow()

    def _flow(self) -> None:
        self._tap.upstream_sides[self.conn] = "{}:{}".format(*self._server.getsockname())
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

    def cut(self, how: str) -> None:
        """Close both sides with ``FIN`` or ``RST`` as the tap's own doing: it is nobody's hang-up."""
        self.close(rst=how == "RST", detail=f"cut with {how} by the tap")

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
            (kernel.reset if rst else kernel.finish)(sock)
        self.witness.closed(detail)


class Tap:
    """Listens on a free loopback port and links every client to ``upstream``, which may change between links.

    ``log`` is told what faults do.
    """

    def __init__(self, make_witness: MakeWitness, upstream: Address, clock: Clock, log: FaultLog | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.make_witness, self.upstream, self.clock = make_witness, upstream, clock
        self.hops: deque[int] = deque(maxlen=_HOPS_KEPT)
        """ns from the kernel's receive stamp to the forwarding send's return, of the last reads."""
        self.watch = kernel.HangupWatch()
        self.links: set[Link] = set()
        self.upstream_sides: dict[int, str] = {}
        """By a connection's number: the tap's own address towards the server, which that takes for its client's."""
        self._faults = Faults(self.loop, clock, self.links, log or Unheard())
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
        self._faults.admit(link)
        link.dial()

    def _hangups(self) -> None:
        for fd, how in self.watch.poll():
            if (link := self._by_fd.get(fd)) is not None:
                link.hangup(fd, how)

    def inject(self, fault: FaultPlan, only: Collection[int] | None = None) -> None:
        """Disturb the connections that are open and those that come, or those with the numbers ``only``
        (``Ledger.conns``). Several faults may stand at once.

        Raises ValueError for a fault that cannot be, RuntimeError when the tap is closed.
        """
        self._faults.inject(fault, only)

    def clear(self, kind: str | None = None, only: Collection[int] | None = None) -> None:
        """End the faults of ``kind``, or all, on the connections with the numbers ``only``, or all: what they held back
        flows on. Raises ValueError for an unknown kind."""
        self._faults.clear(kind, only)

    def renew(self) -> None:
        """Cut the connections that a black hole has taken bytes from: they are good for nothing after it."""
        self._faults.renew()

    def forget(self, link: Link) -> None:
        self.links.discard(link)
        self.upstream_sides.pop(link.conn, None)
        for fd in link.filenos():
            self._by_fd.pop(fd, None)

    def close(self) -> None:
        """Stop listening and close every link with FIN, once."""
        if self._listener.fileno() < 0:
            return
        self.loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for link in list(self.links):
            link.close(detail="the tap closed")
        self._faults.close()
        if (fd := self.watch.fileno()) is not None:
            self.loop.remove_reader(fd)
        self.watch.close()
