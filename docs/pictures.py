"""Draws docs/screens/*.svg from a recorded run: ``python docs/pictures.py``. Nothing in them is invented.

The console replays docs/screens/one-scope.jsonl and stands at the end of its run, on a clock that does not move.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.console import ReplayApp
from probes.index import Index
from probes.replay import Player

FOLDER = Path(__file__).parent / "screens"
RECORDING = FOLDER / "one-scope.jsonl"
SIZES = ((80, 24), (100, 30), (120, 36), (200, 60))
"""Columns and rows: the smallest, a projector's, the one it is designed for, and a large screen's."""
_LANE = 2
"""The selected lane: HTTP/2, whose server nobody told."""


def name(columns: int, rows: int) -> str:
    return f"{columns}x{rows}.svg"


def player(index: Index) -> Player:
    """At the end of the recorded run."""
    found = Player(index, header=index.header, notes=index.notes)
    found.seek(found.end)
    ended = found.log.run(found.run).ended
    found.seek(found.end if ended is None else ended)
    return found


async def picture(columns: int, rows: int) -> str:
    """The whole screen as SVG."""
    with Index(RECORDING) as index:
        app = ReplayApp(player(index), RECORDING, clock=lambda: 0, ticker=False)
        async with app.run_test(size=(columns, rows)) as pilot:
            app.scope.selected = _LANE
            app.scope.draw()
            await pilot.pause()
            return app.export_screenshot()


async def main() -> None:
    for columns, rows in SIZES:
        (FOLDER / name(columns, rows)).write_text(await picture(columns, rows), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
