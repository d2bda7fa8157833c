"""What a hop through the tap costs: the tap's own measure, and round trips with and without it in turn."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import uvloop

from probes.clock import Clock, Stamp
from probes.events import Direction
from probes.tap.decode import http_conversation
from probes.tap.proxy import Tap
from tests.benchmarks.figures import heading, percentile, row

_ROUNDS = 2_000
_PAYLOAD = b"x" * 64


@dataclass
class _Reader:
    """Decodes as the program's witness does, and keeps nothing."""

    talk: object = field(default_factory=http_conversation)

    def bytes_passed(self, direction: Direction, data: bytes, stamp: Stamp) -> None:
        self.talk.feed(direction, data)  # type: ignore[attr-defined]

    def hung_up(self, direction: Direction, how: str, stamp: Stamp) -> None: ...

    def closed(self, detail: str) -> None: ...


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)  # type: ignore[attr-defined]


async def _measure(rounds: int) -> tuple[list[float], list[float], list[float]]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Echo, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    tap = Tap(lambda _conn, _peer: _Reader(), address, Clock())
    ends = [await asyncio.open_connection(*where) for where in (address, tap.start())]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for (reader, writer), taken in zip(ends, times, strict=True):
            start = time.perf_counter_ns()
            writer.write(_PAYLOAD)
            await reader.readexactly(len(_PAYLOAD))
            taken.append((time.perf_counter_ns() - start) / 1e3)
    hops = [ns / 1e3 for ns in tap.hops]
    for _, writer in ends:
        writer.close()
    tap.close()
    server.close()
    return times[0], times[1], hops


def main(brief: bool = False) -> None:
    direct, tapped, hops = uvloop.run(_measure(_ROUNDS // 100 if brief else _ROUNDS))
    print(heading("Tap, 64 bytes to and fro on one loop, direct and tapped in turn"))
    print(row("hop (kernel receive stamp to forwarded)", hops, "µs", "budget: median <= 100, p95 <= 300"))
    print(row("round trip direct", direct, "µs"))
    print(row("round trip tapped (two hops)", tapped, "µs"))
    print(f"{'ratio of medians, tapped to direct':<44} {percentile(tapped, 0.5) / percentile(direct, 0.5):>9.2f}")


if __name__ == "__main__":
    main()
