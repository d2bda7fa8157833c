"""A recording of a million events: how soon it shows its first frame, how long a seek takes, how much memory it needs.

Two recordings are made of told runs, the same runs over and over at later times: thousands of the usual size, and a
few that stream without end. Each is opened twice in a process of its own: by a replay in a terminal, and by a player
whose seeks are timed one by one.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from app.header import make_header
from app.paint import evidence, machine, scoreboard, timeline, timeouts
from app.paint.status import paint_status
from app.paint.view import View
from app.source import ReplaySource, view_of
from probes.codec import encode
from probes.events import ChunkReceived, Event
from probes.fold import order_key
from probes.index import Index
from probes.record import Recorder
from probes.replay import Player
from tests.benchmarks.figures import heading, row
from tests.benchmarks.start import command
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.kit.six_lanes import settings
from tests.kit.terminal import Terminal

EVENTS = 1_000_000
_SEEKS = 100
_EVERY_NS = 3_000_000_000
"""From the start of a run to the start of the next."""
_PAUSE = 0.5
_PAINTERS = (
    paint_status,
    timeline.paint_timeline,
    scoreboard.paint_scoreboard,
    machine.paint_machine,
    timeouts.paint_timeouts,
    evidence.paint_evidence,
)


# --- the recordings -----------------------------------------------------------------------------------


def usual() -> list[Event]:
    """A run as one-scope has it, about 300 events in a second and a half."""
    return [event for event in kit.settled() if event.run]


def streamed(chunks: int = 3_300) -> list[Event]:
    """Six lanes that stream for a second and are cut off: 6 x ``chunks`` events, and the cancel's."""
    told = Told().fired(settings())
    lanes = [plan.lane for plan in settings().lanes]
    for total in range(1, chunks // 3 + 1):
        us = 1e6 * 3 * total / chunks - 300_000
        for lane in lanes:
            told.sent(us, lane, total).bytes(us + 30, lane, 1)
            told.at(ChunkReceived, us + 60, lane, layer="client", n=1, size=1024, total=total)
    told.zero += 800_000_000
    return sorted(told.cancelled().settled().events, key=order_key)


def _blocks(run: list[Event], count: int) -> Iterator[bytes]:
    """``run`` again and again, about ``count`` events, a block each time."""
    lines = [(event, encode(event) + b"\n") for event in run]
    for number in range(1, max(1, count // len(run)) + 1):
        shift, seqs = (number - 1) * _EVERY_NS, (number - 1) * len(run)
        yield b"".join(
            line.replace(b'"t":%d,' % event.t, b'"t":%d,' % (event.t + shift), 1)
            .replace(b'"seq":%d,' % event.seq, b'"seq":%d,' % (event.seq + seqs), 1)
            .replace(b'"run":1,', b'"run":%d,' % number, 1)
            for event, line in lines
        )


def write(path: Path, run: list[Event], count: int) -> None:
    """A recording of about ``count`` events."""
    Recorder(path, make_header({})).close()
    with path.open("ab") as file:
        file.writelines(encode(event) + b"\n" for event in Told().ready().events)
        file.writelines(_blocks(run, count))


# --- measuring, in a process of its own ---------------------------------------------------------------


def paint(seen: View) -> None:
    for painter in _PAINTERS:
        painter(seen, 120, 36)


def measure(path: Path) -> dict[str, Any]:
    """Milliseconds, and MiB at the peak."""
    began = time.perf_counter()
    player = Player(Index(path))
    source = ReplaySource(player, path)
    paint(view_of(source, 0))
    first = (time.perf_counter() - began) * 1e3
    random, seeks = Random(7), []
    for _ in range(_SEEKS):
        target = random.randint(player.start, player.end)
        before = time.perf_counter_ns()
        player.seek(target)
        paint(view_of(source, 0))
        seeks.append((time.perf_counter_ns() - before) / 1e6)
    return {
        "first": first,
        "seeks": seeks,
        "peak": _peak_mib(os.getpid()),
        "runs": len(player.runs),
    }


def _measured(path: Path) -> dict[str, Any]:
    argv = (sys.executable, "-m", "tests.benchmarks.replay", str(path))
    done = subprocess.run(argv, capture_output=True, check=True, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


async def _in_terminal(path: Path, pause: float) -> tuple[float, float]:
    """Milliseconds from exec to the first frame of a replay; MiB at its peak after a look at the end and at marks."""
    with Terminal(*command(), "replay", str(path), columns=120, rows=36) as terminal:
        frame = await terminal.until(b"REPLAY", timeout=120)
        for key in (b"\x1b[F", b"[", b"[", b"\x1b[H", b"]"):
            terminal.press(key)
            await asyncio.sleep(pause)
        peak = _peak_mib(terminal.process.pid)
        terminal.press(b"q")
        await terminal.status()
    return (frame - terminal.began) / 1e6, peak


def _peak_mib(pid: int) -> float:
    """0 where there is no /proc. Not ``ru_maxrss``, which a process takes over from the one that started it."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _print(title: str, path: Path, count: int, pause: float) -> None:
    measured = _measured(path)
    frame, peak = asyncio.run(_in_terminal(path, pause))
    mib = path.stat().st_size >> 20
    print(heading(f"Replay of {count} events in {measured['runs']} runs {title}, {mib} MiB"))
    print(f"{'first frame painted, from opening the file':<44} {measured['first']:>9.1f} ms{'':>20} budget: <= 500")
    print(f"{'first frame in a terminal, from exec':<44} {frame:>9.1f} ms")
    print(row("seek anywhere and paint", measured["seeks"], "ms", "budget: <= 100"))
    print(f"{'the slowest of them':<44} {max(measured['seeks']):>9.1f} ms{'':>20} budget: <= 100")
    print(f"{'peak memory of the player':<44} {measured['peak']:>9.0f} MiB{'':>19} budget: <= 300")
    print(f"{'peak memory of the replay in a terminal':<44} {peak:>9.0f} MiB{'':>19} budget: <= 300")


def main(brief: bool = False) -> None:
    count = EVENTS // 100 if brief else EVENTS
    with tempfile.TemporaryDirectory() as folder:
        for title, run in (("of the usual size", usual()), ("that stream", streamed())):
            path = Path(folder) / "session.jsonl"
            write(path, run, count)
            _print(title, path, max(1, count // len(run)) * len(run), 0 if brief else _PAUSE)
            path.unlink()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        main()
