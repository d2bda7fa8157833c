"""The phase before there is a connection: an address at which none comes to be, and what proves that the channel tries.

The channel's own word is not enough: it says CONNECTING before a SYN is out, and goes on trying after its call is over.
So a stalled attempt is looked for in the kernel's table of sockets (grpc's are dual-stack: ``/proc/net/tcp6``), and one
that gets no further than TCP on the tap.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import grpc.aio

from probes.events import TO_CLIENT, FaultPlan, LanePlan
from probes.lanes.bench import Bench
from probes.lanes.grpc.channel import until_state
from probes.tap.deadends import dead_address, stalled_address
from probes.tap.proxy import Address

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_SYN_SENT = "02"
_POLL = 0.005
ATTEMPT = "connection attempt"
"""What such a call holds."""

CONNECTING, REFUSED = grpc.ChannelConnectivity.CONNECTING, grpc.ChannelConnectivity.TRANSIENT_FAILURE


class Target(ABC):
    """An address for one run. Used once."""

    seen_outside = True
    """Whether it can be seen without the channel that it tries to connect."""

    def __init__(self, bench: Bench, run: int, plan: LanePlan) -> None:
        self._bench, self._run, self._lane = bench, run, plan.lane
        self._stack = AsyncExitStack()

    @abstractmethod
    async def open(self) -> Address:
        """Raises OSError."""

    @abstractmethod
    async def reached(self, channel: grpc.aio.Channel | None) -> str:
        """Wait until the channel tries to connect; the evidence. Without a channel only what others see counts."""

    @abstractmethod
    async def gone(self) -> str:
        """Wait until no attempt is left; the evidence."""

    @abstractmethod
    def left(self) -> int:
        """How many attempts there are."""

    async def close(self) -> None:
        await self._stack.aclose()


class Dead(Target):
    """Nobody listens: each attempt is refused at once, and a call that waits for ready waits."""

    seen_outside = False

    async def open(self) -> Address:
        return self._stack.enter_context(dead_address())

    async def reached(self, channel: grpc.aio.Channel | None) -> str:
        assert channel is not None
        await until_state(channel, REFUSED)
        return "connect refused"

    async def gone(self) -> str:
        return "refused: no attempt lasts"

    def left(self) -> int:
        return 0


class Stalled(Target):
    """The SYN gets no answer."""

    _fillers = 0

    async def open(self) -> Address:
        self._address = await self._stack.enter_async_context(stalled_address())
        self._fillers = syn_sent(self._address[1])
        return self._address

    async def reached(self, channel: grpc.aio.Channel | None) -> str:
        if channel is not None:
            await until_state(channel, CONNECTING)
        await _until(lambda: bool(self.left()) or not tells())
        return "CONNECTING, its SYN unanswered (/proc/net/tcp6)" if tells() else "channel CONNECTING"

    async def gone(self) -> str:
        await _until(lambda: not self.left())
        return "SYN given up (/proc/net/tcp6)" if tells() else "nobody tells when a SYN is given up here"

    def left(self) -> int:
        return syn_sent(self._address[1]) - self._fillers


class Tapped(Target):
    """The tap, which is connected at once: what is missing is the server's SETTINGS, by a fault of the plan's own."""

    async def open(self) -> Address:
        return self._bench.address

    async def reached(self, channel: grpc.aio.Channel | None) -> str:
        if channel is not None:
            await until_state(channel, CONNECTING)
        await self._bench.ledger.until(lambda: bool(self.left()))
        return "CONNECTING, TCP is up, no SETTINGS from the server"

    async def gone(self) -> str:
        await self._bench.ledger.until(lambda: not self.left())
        return "client>server FIN"

    def left(self) -> int:
        return self._bench.ledger.clients(self._run, self._lane)

    async def close(self) -> None:
        await super().close()
        await self._bench.ledger.until(lambda: not self._bench.ledger.conns(self._run, self._lane))


class Hole(Tapped):
    """The tap, in which all that the server says is lost."""

    async def open(self) -> Address:
        self._bench.tap.inject(FaultPlan(kind="black-hole", direction=TO_CLIENT))
        self._stack.callback(self._bench.tap.clear, "black-hole")
        return await super().open()


TARGETS: dict[str, type[Target]] = {"dead": Dead, "stalled": Stalled, "black-hole": Hole, "tap": Tapped}


def target_of(bench: Bench, run: int, plan: LanePlan) -> Target:
    """What the plan names; a SYN that is not answered where it names nothing."""
    return TARGETS[str(plan.options.get("target", "stalled"))](bench, run, plan)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the kernel's tables tell nobody when they change
        await asyncio.sleep(_POLL)


def tells() -> bool:
    """Whether the kernel tells of connects that wait."""
    return any(table.exists() for table in _TABLES)


def syn_sent(port: int) -> int:
    """How many connects to a local ``port`` wait for an answer to their SYN; 0 where the kernel does not tell."""
    lines = [line for table in _TABLES if table.exists() for line in table.read_text().splitlines()[1:]]
    return sum(_waits(line.split(), port) for line in lines)


def _waits(fields: list[str], port: int) -> bool:
    """Of ``sl local_address rem_address st ...``, addresses and states in hexadecimal (proc(5))."""
    return fields[3] == _SYN_SENT and int(fields[2].rpartition(":")[2], 16) == port
