"""What drawing costs at 200x60 with six lanes, terminal's bytes included, and whether it keeps up with a stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.figures import heading, row
from tests.kit.terminal import Terminal

FRAMES = 150
SECONDS = 8
_SIZE = (200, 60)
_SERIES = (
    ("armed", "six lanes stream, armed"),
    ("cancelled", "three settled, three zombies"),
    ("whole", "the same, every row sent again"),
)


class Console:
    """``tests.kit.six_lanes`` in a terminal."""

    def __init__(self, terminal: Terminal, report: int) -> None:
        self.terminal, self._report = terminal, report

    async def ended(self) -> dict[str, Any]:
        """What it measured, when it has ended."""
        status = await self.terminal.status(120)
        with os.fdopen(self._report) as report:
            if status:
                raise RuntimeError(f"it ended with {status}: {bytes(self.terminal.output[-1000:])!r}")
            measured: dict[str, Any] = json.load(report)
        return measured


@contextlib.contextmanager
def console(how: str, *more: str) -> Iterator[Console]:
    ours, theirs = os.pipe()
    argv = (sys.executable, "-m", "tests.kit.six_lanes", how, str(theirs), *more)
    with Terminal(*argv, columns=_SIZE[0], rows=_SIZE[1], pass_fds=(theirs,)) as terminal:
        os.close(theirs)
        yield Console(terminal, ours)


async def _frames(count: int) -> dict[str, list[float]]:
    with console("frames", str(count)) as it:
        return await it.ended()


async def _stream(seconds: int) -> tuple[list[float], dict[str, Any]]:
    """Frames in each of ``seconds`` seconds, and what the console says of the events."""
    with console("stream") as it:
        terminal, counts = it.terminal, []
        await terminal.until(b"to start a run")
        terminal.press(b"\r")
        await terminal.until(b" passed")
        for _ in range(seconds):
            before = len(terminal.frames)
            await asyncio.sleep(1)
            counts.append(float(len(terminal.frames) - before))
        terminal.press(b"c")
        await terminal.until(b"after its start")
        terminal.press(b"q")
        return counts, await it.ended()


def main(brief: bool = False) -> None:
    frames = asyncio.run(_frames(10 if brief else FRAMES))
    print(heading(f"One frame at {_SIZE[0]}x{_SIZE[1]}, six lanes: fold, paint, compose, encode, write; CPU time"))
    for key, name in _SERIES:
        print(row(name, frames[key], "ms", "budget: p95 <= 8"))
    counts, told = asyncio.run(_stream(1 if brief else SECONDS))
    rate = told["events"] / told["seconds"]
    print(heading(f"The console at {_SIZE[0]}x{_SIZE[1]} while {rate:.0f} events a second arrive"))
    print(row("frames a second", counts, "", "budget: 30"))
    print(row("from an event's stamp to the console's state", told["late_ms"], "ms"))
    print(f"{'events lost':<44} {told['lost']:>9}   of {told['events']}; {told['dropped']} dropped")


if __name__ == "__main__":
    main()
