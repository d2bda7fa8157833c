"""How long people wait: from the command's exec in a terminal to its first frame, and until the lab is ready."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.benchmarks.figures import heading, row
from tests.kit.terminal import Terminal

STARTS = 8
_BRAND, _READY = b"Cancelloscope", b"to start a run"


def command() -> tuple[str, ...]:
    """The installed command, as people start it; else the module."""
    script = Path(sys.executable).with_name("cancelloscope")
    return (str(script),) if script.exists() else (sys.executable, "-m", "app")


async def start(columns: int, rows: int) -> tuple[float, float]:
    """Milliseconds from exec until the first frame was read, and until it says that the lab is ready."""
    with Terminal(*command(), columns=columns, rows=rows) as terminal:
        frame = await terminal.until(_BRAND)
        ready = await terminal.until(_READY)
        terminal.press(b"q")
        await terminal.status()
    return (frame - terminal.began) / 1e6, (ready - terminal.began) / 1e6


def main(brief: bool = False) -> None:
    """The first start fills PostgreSQL's cache and the disk's, and does not count."""
    found = [asyncio.run(start(120, 36)) for _ in range(2 if brief else STARTS + 1)][1:]
    print(heading("Start in a terminal of 120x36, from exec"))
    print(row("first frame", [frame for frame, _ in found], "ms", "budget: <= 700"))
    print(row("lab ready", [ready for _, ready in found], "ms", "budget: <= 3000"))


if __name__ == "__main__":
    main()
