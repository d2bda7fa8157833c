"""What faults do to one direction of one connection: a ``Gate`` at the entrance of its pipe.

The gate decides before the pipe reads whether it may, and after it has read where the bytes go. What a pipe has
taken in and told its witness about is passed on, fault or no fault: nothing that is said to have passed is lost
behind the gate. What the gate held back is stamped when it passes, not when the kernel got it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from probes.clock import Clock, Stamp
from probes.events import TO_SERVER, Direction, FaultPlan

READ_SIZE = 65_536
CANCEL_KINDS = ("delay-cancel", "lose-cancel")
_PORTIONS = 50
"""A slow reader reads so often in a second, unless its rate asks for more than ``READ_SIZE`` each time."""
_CATCH_UP = 0.1
"""Seconds that a slow reader may be behind and still make up for; a pause longer than that earns no burst."""

_PACKET = struct.Struct("!II")
_CANCEL, _SSL, _GSSENC = 80877102, 80877103, 80877104
_SHORTEST, _LONGEST = 16, 12 + 256
"""Bytes of a CancelRequest; since protocol 3.2 its secret has up to 256 (PostgreSQL manual, "Message Formats")."""


class Path(Protocol):
    """What a gate needs of the pipe that it stands in front of."""

    conn: int
    direction: Direction
    begun: bool
    """Whether a byte has been read."""
    gate: Gate | None

    @property
    def opposite(self) -> Path: ...

    def waiting(self) -> int:
        """Bytes that came and were not passed on yet, in the tap and in the kernel."""

    def pass_on(self, data: bytes, stamp: Stamp) -> None: ...

    def pass_hangup(self, how: str) -> None: ...

    def adjust(self) -> None:
        """Read, or do not, as ``Gate.admits`` has it."""


class HitLog(Protocol):
    """Is told what faults do to connections. Must return soon and never raise."""

    def fault_hit(
        self, conn: int, fault: FaultPlan, direction: Direction, did: str, what: str, size: int, detail: str
    ) -> None:
        """``did``: ``held``, ``passed on``, ``lost``, ``swallowed``, ``cut``; ``what``: FIN, RST, CancelRequest."""

    def bytes_swallowed(self, conn: int, fault: FaultPlan, direction: Direction, size: int, stamp: Stamp) -> None: ...


class Standing:
    """A fault that stands, and what it has done so far. ``only``: the connections that it is for, None for all."""

    def __init__(self, fault: FaultPlan, only: Collection[int] | None, log: HitLog) -> None:
        self.fault, self.kind = fault, fault.kind
        self.timer: asyncio.TimerHandle | None = None
        self.conns: set[int] = set()
        """The connections that it did something to."""
        self.size = 0
        self._only, self._log = only, log

    def concerns(self, path: Path) -> bool:
        direction = TO_SERVER if self.kind in CANCEL_KINDS else self.fault.direction
        return direction in ("", path.direction) and self.reaches(path.conn)

    def reaches(self, conn: int) -> bool:
        return self._only is None or conn in self._only

    def count(self, conn: int, size: int) -> None:
        self.conns.add(conn)
        self.size += size

    def hit(self, path: Path, did: str, what: str, size: int = 0, detail: str = "") -> None:
        self.conns.add(path.conn)
        self._log.fault_hit(path.conn, self.fault, path.direction, did, what, size, detail)

    def swallow(self, path: Path, size: int, stamp: Stamp) -> None:
        self.count(path.conn, size)
        self._log.bytes_swallowed(path.conn, self.fault, path.direction, size, stamp)


class CancelWatch:
    """Looks for a CancelRequest in the first packets of a PostgreSQL client. An SSLRequest and a GSSENCRequest may come
    in front of it, each once, as the server takes them."""

    def __init__(self, cancel: Standing) -> None:
        self.cancel = cancel
        self.kept = b""
        self._encryption = {_SSL, _GSSENC}
        self.over = False
        """No CancelRequest will come."""
        self.size = 0
        """Bytes of the CancelRequest at the start of ``kept``; 0 until it is whole."""
        self.due = False
        """Nothing is kept any longer: its time is over, or the fault is."""

    def hit(self, path: Path, did: str, detail: str = "") -> None:
        """Say what becomes of the CancelRequest."""
        pid = int.from_bytes(self.kept[8:12], "big")
        self.cancel.hit(path, did, "CancelRequest", self.size, f"pid {pid} {detail}".rstrip())

    def lose(self) -> bytes:
        """Drop the CancelRequest; what came behind it."""
        self.over = True
        self._take(self.size)
        return self._take(len(self.kept))

    def feed(self, data: bytes) -> bytes:
        """What may pass at once of ``data`` and of what was kept before."""
        self.kept += data
        passing = b""
        while len(self.kept) >= _PACKET.size and not self.size and not self.over:
            length, code = _PACKET.unpack_from(self.kept)
            if code == _CANCEL and _SHORTEST <= length <= _LONGEST:
                if len(self.kept) < length:
                    break
                self.size = length
            elif code in self._encryption and length == _PACKET.size:
                self._encryption.discard(code)
                passing += self._take(length)
            else:
                self.over = True
                passing += self._take(len(self.kept))
        return passing

    def _take(self, size: int) -> bytes:
        taken, self.kept = self.kept[:size], self.kept[size:]
        return taken


class Pace:
    """When a slow reader may read again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, resume: Callable[[], None]) -> None:
        self._loop, self._resume = loop, resume
        self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def rests(self) -> bool:
        return self._timer is not None

    def took(self, size: int, rate: int) -> None:
        """``size`` bytes were read: the next come when ``rate`` allows for it."""
        now = self._loop.time()
        begin = self._next_at if now - self._next_at < _CATCH_UP else now
        self._next_at = begin + size / rate
        if self._next_at > now:
            self._timer = self._loop.call_at(self._next_at, self._rested)

    def stop(self) -> None:
        """Rest no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rested(self) -> None:
        self._timer = None
        self._resume()


class Gate:
    """The faults of one pipe, and what they have kept of it. A pipe without faults has no gate.

    Where several stand, a black hole outranks what stalls (freeze, hold), and that outranks the rest.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._path, self._loop, self._clock = path, loop, clock
        self.hole: Standing | None = None
        self.shut: Standing | None = None
        """The freeze or hold that keeps the pipe from reading."""
        self._slow: Standing | None = None
        self._dead: Standing | None = None
        """The black hole in which the far side's RST was lost: nobody is there to pass anything to."""
        self._watch: CancelWatch | None = None
        self._end = ""
        """``FIN`` or ``RST`` of the source that is kept here."""
        self._since = 0
        """ns; what the kernel stamped earlier was held back, and is stamped anew when it passes."""
        self._pace = Pace(loop, path.adjust)
        self._delay: asyncio.TimerHandle | None = None

    def set(self, standing: Sequence[Standing]) -> None:
        """These faults concern the pipe from now on; what none of them keeps any more goes on."""
        first = {fault.kind: fault for fault in reversed(standing)}
        self.hole = self._dead or first.get("black-hole")
        self.shut = first.get("freeze") or (None if self._path.begun else first.get("hold"))
        slow = [fault for fault in standing if fault.kind == "slow"]
        self._slow = min(slow, key=lambda fault: fault.fault.rate, default=None)
        cancel = first.get("delay-cancel") or first.get("lose-cancel")
        if self._watch is not None:
            self._watch.due |= self._watch.cancel not in standing
        elif cancel is not None and not self._path.begun:
            self._watch = CancelWatch(cancel)
        self._since = self._clock.now().t
        self._pace.stop()
        self._go_on()

    def fall_silent(self, hole: Standing) -> None:
        """The far side is gone and the pipe may not show it: what comes from now on is swallowed."""
        self._dead = self.hole = hole
        self._go_on()

    def stop(self) -> None:
        """The connection is closed."""
        self._pace.stop()
        if self._delay is not None:
            self._delay.cancel()
        if self._watch is not None and self._watch.size:
            self._watch.hit(self._path, "lost", "its connection closed first")

    @property
    def kept(self) -> int:
        """Bytes that were read and are kept here."""
        return 0 if self._watch is None else len(self._watch.kept)

    # --- asked by the pipe --------------------------------------------------------------------------------

    def admits(self, pending: bool) -> bool:
        """Whether the pipe may read; ``pending``: the far side has not taken all of what was read."""
        if self._end:
            return False
        return self.hole is not None or not (pending or self.shut or self._pace.rests or self._holds_cancel())

    @property
    def portion(self) -> int:
        """How many bytes to read at once."""
        if self._slow is None or self.hole is not None:
            return READ_SIZE
        return max(1, min(READ_SIZE, self._slow.fault.rate // _PORTIONS))

    def came(self, data: bytes, stamp: Stamp) -> None:
        """The pipe has read ``data``."""
        if self.hole is not None:
            self.hole.swallow(self._path, len(data), stamp)
            return
        if self._slow is not None or stamp.t < self._since:
            stamp = self._clock.now()
        elif not (self._watch or self.shut):
            # What waited is through, and no fault stands: from here on the pipe is on its own.
            self._path.gate = None
        if self._slow is not None:
            self._slow.count(self._path.conn, len(data))
            self._pace.took(len(data), self._slow.fault.rate)
        if self._watch is not None:
            data = self._look(self._watch, data)
        if data:
            self._path.pass_on(data, stamp)
        self._path.adjust()

    def keeps(self, how: str) -> bool:
        """The source hung up, ``FIN`` in its place behind its bytes or ``RST``; True when it is not to be passed on.

        RST overtakes what is stalled, as it does with a peer that does not read: its kernel is told all the same.
        It does not overtake a CancelRequest: that has been sent, and is only late.
        """
        if self.hole is not None:
            self._swallow_end(self.hole, how)
            return True
        if self._holds_cancel():
            self._end = how
            return True
        if self._watch is not None:
            self._pass_kept(self._watch)
        return False

    def notices(self, how: str) -> bool:
        """A FIN waits behind bytes that the pipe does not read; True when that may be said."""
        if self.hole is not None or self._end or self._holds_cancel():
            return False
        stall = self.shut or self._slow
        if stall is not None:
            stall.hit(self._path, "held", how)
        return True

    # --- what passes, and what does not -------------------------------------------------------------------

    def _go_on(self) -> None:
        """Let go of what nothing keeps any more."""
        if self._watch is not None:
            if self.hole is not None:
                self._swallow_kept(self._watch, self.hole)
            elif self.shut is None and self._watch.due:
                self._pass_kept(self._watch)
        stalled = self._holds_cancel() or (self._end == "FIN" and self.shut is not None)
        if self._end and self.hole is None and not stalled:
            how, self._end = self._end, ""
            self._path.pass_hangup(how)
        self._path.adjust()

    def _holds_cancel(self) -> bool:
        return self._watch is not None and self._watch.size > 0

    def _look(self, watch: CancelWatch, data: bytes) -> bytes:
        passing = watch.feed(data)
        if watch.size:
            watch.cancel.count(self._path.conn, watch.size)
            if watch.cancel.kind == "lose-cancel":
                watch.hit(self._path, "lost")
                passing += watch.lose()
            else:
                self._hold(watch)
        if watch.over:
            self._watch = None
        return passing

    def _hold(self, watch: CancelWatch) -> None:
        watch.hit(self._path, "held")
        if (seconds := watch.cancel.fault.seconds) is not None:
            self._delay = self._loop.call_later(seconds, self._delayed, watch)

    def _delayed(self, watch: CancelWatch) -> None:
        watch.due = True
        self._go_on()

    def _pass_kept(self, watch: CancelWatch) -> None:
        self._watch = None
        now = self._clock.now()
        self._since = now.t
        if watch.size:
            watch.hit(self._path, "passed on")
        if watch.kept:
            self._path.pass_on(watch.kept, now)

    def _swallow_kept(self, watch: CancelWatch, hole: Standing) -> None:
        self._watch = None
        if watch.kept:
            hole.swallow(self._path, len(watch.kept), self._clock.now())
        how, self._end = self._end, ""
        if how:
            self._swallow_end(hole, how)

    def _swallow_end(self, hole: Standing, how: str) -> None:
        if self._end == how:
            return
        self._end = how
        hole.hit(self._path, "swallowed", how)
        if how == "RST":
            opposite = self._path.opposite
            if opposite.gate is None:
                opposite.gate = Gate(opposite, self._loop, self._clock)
            opposite.gate.fall_silent(hole)
