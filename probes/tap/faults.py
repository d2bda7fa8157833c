"""The faults of one tap: what goes wrong between a client and its server, on purpose and on the record.

A fault acts on the connections that are open and, while it stands, on those that come. ``direction`` names the
bytes that it disturbs, empty for both.

``freeze``
    Nothing is read any more, as by a peer that does not read: the kernel's buffers fill, then the source blocks. A
    FIN of the source is said when it comes and passed on after the thaw, behind the bytes. RST is passed on at
    once: it overtakes unread bytes, and the kernel of a peer that does not read is told all the same.
``hold``
    The same for connections on which nothing has passed in this direction: their first bytes wait, and all behind
    them. ``server>client`` holds the ServerHello of TLS (the client sits in its handshake), what a PostgreSQL server
    answers to the StartupMessage (the client sits in its startup), or the SETTINGS of HTTP/2.
``black-hole``
    Bytes, FIN and RST are read, acknowledged by this kernel and go no further; the far side hears nothing. Swallowed
    bytes are lost and never decoded: the decoder reads what the far side reads. When the hole is cleared, a FIN or RST
    that it took is passed on, because a host goes on saying that it is gone: TCP repeats a FIN and answers what comes
    to a closed connection with RST. A new connection is still accepted (that is the kernel's doing);
    ``probes.tap.deadends`` has addresses that swallow the SYN itself.
``slow``
    Reads ``rate`` bytes a second in small portions; the source feels it as back-pressure.
``delay-cancel``
    A CancelRequest of PostgreSQL, which has a connection to itself, is held for ``seconds``, or until the fault is
    cleared. A RST behind it waits with it.
``lose-cancel``
    The CancelRequest is swallowed; what follows it, its connection's FIN too, passes.
``cut``
    Closes both sides of each connection, at once and only once, with RST or FIN (``how``, RST when empty). The tap is
    the cause: ``fault.hit`` says so, and no FIN or RST is reported as anybody's own.

After ``clear`` everything flows on, with nothing lost or reordered but what a black hole or ``lose-cancel`` took.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from probes.clock import Clock, Stamp
from probes.events import TO_CLIENT, TO_SERVER, Direction, FaultPlan
from probes.tap.gate import CANCEL_KINDS, Gate, HitLog, Path, Standing

KINDS = ("freeze", "hold", "black-hole", "slow", *CANCEL_KINDS, "cut")

FaultOver = Callable[[int, int, str], None]
"""(connections concerned, bytes concerned, why it ended and its counts in words)."""


class FaultLog(HitLog, Protocol):
    """Is told of the faults of a tap. Must return soon and never raise."""

    def fault_started(self, fault: FaultPlan, detail: str) -> FaultOver:
        """Returns what is to be called once, when the fault ends."""


class Line(Protocol):
    """What a fault needs of a connection."""

    conn: int
    over: bool
    """Whether it is closed."""

    @property
    def paths(self) -> tuple[Path, Path]: ...

    def cut(self, how: str) -> None:
        """Close both sides with ``FIN`` or ``RST``, as the tap's own doing."""


class Faults:
    """The faults that stand on one tap. ``lines``: its open connections, as they are at any time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, lines: Collection[Line], log: FaultLog) -> None:
        self._loop, self._clock, self._lines, self._log = loop, clock, lines, log
        self._standing: dict[Standing, FaultOver] = {}
        self._closed = False
        self._holed: set[int] = set()
        """The connections in whose bytes a hole is left."""

    def inject(self, fault: FaultPlan, only: Collection[int] | None = None) -> None:
        """Let ``fault`` begin, on the connections with the numbers ``only`` or on all.

        Raises ValueError for one that cannot be, RuntimeError when the tap is closed.
        """
        check(fault)
        if self._closed:
            raise RuntimeError("the tap is closed")
        standing = Standing(fault, only, self._log)
        self._standing[standing] = self._log.fault_started(fault, describe(fault))
        if fault.kind == "cut":
            self._cut(standing)
            self._end([standing], "done")
            return
        if fault.seconds is not None and fault.kind != "delay-cancel":
            why = f"after {fault.seconds:g} s"
            standing.timer = self._loop.call_later(fault.seconds, self._end, [standing], why)
        self._apply()

    def clear(self, kind: str | None = None, only: Collection[int] | None = None) -> None:
        """End the faults of ``kind``, or all; of those on connections with the numbers ``only``, or all. Raises
        ValueError for a kind that there is not."""
        if kind not in (None, *KINDS):
            raise ValueError(_no_such(kind))
        meant = [standing for standing in self._standing if kind in (None, standing.kind)]
        self._end([each for each in meant if only is None or any(map(each.reaches, only))], "cleared")

    def renew(self) -> None:
        """Cut the connections that lost bytes in a black hole: whoever used one next would wait for them, or for the
        window that HTTP/2 has spent on them."""
        for line in list(self._lines):
            if line.conn in self._holed:
                line.cut("RST")
        self._holed.clear()

    def admit(self, line: Line) -> None:
        """A connection is new: the faults that stand concern it as well."""
        if self._standing:
            self._apply_to(line)

    def close(self) -> None:
        """The tap closes, and its connections are closed already."""
        self._closed = True
        self._end(list(self._standing), "the tap closed")

    def _end(self, ending: list[Standing], why: str) -> None:
        for standing in ending:
            if standing.timer is not None:
                standing.timer.cancel()
            for path in self._stalled(standing):
                standing.count(path.conn, path.waiting())
            over = self._standing.pop(standing)
            if standing.kind == "black-hole" and standing.size:
                self._holed |= standing.conns
            over(len(standing.conns), standing.size, f"{why}: {_outcome(standing)}")
        self._apply()

    def _stalled(self, standing: Standing) -> list[Path]:
        paths = [path for line in self._lines for path in line.paths]
        return [path for path in paths if path.gate is not None and path.gate.shut is standing]

    def _apply(self) -> None:
        # A copy: what a gate lets go may end its connection.
        for line in list(self._lines):
            self._apply_to(line)

    def _apply_to(self, line: Line) -> None:
        for path in line.paths:
            if line.over:
                # What the first direction let go, a RST, has ended both.
                return
            standing = [fault for fault in self._standing if fault.concerns(path)]
            if standing and path.gate is None:
                path.gate = Gate(path, self._loop, self._clock)
            if path.gate is not None:
                path.gate.set(standing)

    def _cut(self, cut: Standing) -> None:
        how = cut.fault.how or "RST"
        for line in list(self._lines):
            if cut.reaches(line.conn):
                lost = sum(path.waiting() for path in line.paths)
                cut.count(line.conn, lost)
                self._log.fault_hit(line.conn, cut.fault, "", "cut", how, lost, "")
                line.cut(how)


def check(fault: FaultPlan) -> None:
    """Raises ValueError, with what is wrong, for a fault that cannot be."""
    if fault.kind not in KINDS:
        raise ValueError(_no_such(fault.kind))
    if fault.direction not in ("", TO_SERVER, TO_CLIENT):
        raise ValueError(
            f"no such direction: {fault.direction!r}; there are {TO_SERVER!r}, {TO_CLIENT!r}, and '' for both"
        )
    if fault.seconds is not None and not fault.seconds >= 0:
        raise ValueError(f"{fault.kind} cannot stand for {fault.seconds:g} s")
    if fault.kind == "slow" and fault.rate < 1:
        raise ValueError(f"slow needs a rate of at least 1 byte a second, not {fault.rate}")
    if fault.kind == "cut" and fault.how not in ("", "FIN", "RST"):
        raise ValueError(f"a cut is made with FIN or RST, not {fault.how!r}")


def describe(fault: FaultPlan) -> str:
    """Its figures in a few words: ``4096 bytes a second, for 2 s``."""
    words = []
    if fault.kind == "slow":
        words.append(f"{fault.rate} bytes a second")
    if fault.kind == "cut":
        words.append(f"with {fault.how or 'RST'}")
    elif fault.seconds is not None:
        words.append(f"each for {fault.seconds:g} s" if fault.kind == "delay-cancel" else f"for {fault.seconds:g} s")
    return ", ".join(words)


def _no_such(kind: str | None) -> str:
    return f"no such fault: {kind!r}; there are {', '.join(KINDS)}"


def _outcome(standing: Standing) -> str:
    count = len(standing.conns)
    return f"{count} connection{'' if count == 1 else 's'}, {standing.size} bytes {_DONE[standing.kind]}"


_DONE = {
    "freeze": "waited",
    "hold": "waited",
    "black-hole": "swallowed",
    "slow": "slowed",
    "delay-cancel": "held",
    "lose-cancel": "lost",
    "cut": "had not passed",
}


class Unheard:
    """A log that nobody reads."""

    def fault_started(self, fault: FaultPlan, detail: str) -> FaultOver:
        """Nothing."""
        return lambda _conns, _size, _detail: None

    def fault_hit(
        self, conn: int, fault: FaultPlan, direction: Direction, did: str, what: str, size: int, detail: str
    ) -> None:
        """Nothing."""

    def bytes_swallowed(self, conn: int, fault: FaultPlan, direction: Direction, size: int, stamp: Stamp) -> None:
        """Nothing."""
