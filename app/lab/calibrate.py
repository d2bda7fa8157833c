"""What the tap costs here and now, measured on the loop that the runs will use."""

from __future__ import annotations

import asyncio

from probes.clock import Clock, Stamp
from probes.events import Direction, TapCalibrated
from probes.sink import Sink
from probes.tap.proxy import Tap

_SAMPLES = 200
_PAYLOAD = b"x" * 64


class _Blind:
    """A witness that looks away: what is measured is the hop."""

    def bytes_passed(self, direction: Direction, data: bytes, stamp: Stamp) -> None:
        """Nothing."""

    def hung_up(self, direction: Direction, how: str, stamp: Stamp) -> None:
        """Nothing."""

    def closed(self, detail: str) -> None:
        """Nothing."""


async def calibrate(sink: Sink) -> TapCalibrated:
    """Send ``_SAMPLES`` small messages to and fro through a tap; a hop is from the kernel's receive stamp to the
    return of the send that forwards it (with no kernel stamps there are none, and both figures are 0)."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    tap = Tap(lambda _conn, _peer: _Blind(), server.sockets[0].getsockname(), Clock())
    reader, writer = await asyncio.open_connection(*tap.start())
    try:
        for _ in range(_SAMPLES):
            writer.write(_PAYLOAD)
            await reader.readexactly(len(_PAYLOAD))
    finally:
        writer.close()
        tap.close()
        server.close()
    hops = sorted(tap.hops)
    return sink.emit(
        TapCalibrated,
        median_ns=hops[len(hops) // 2] if hops else 0,
        p95_ns=hops[len(hops) * 95 // 100] if hops else 0,
        samples=len(hops),
        kernel_stamps=tap.kernel_stamps,
    )


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()
