"""What the screen costs the lab: runs with the console in a terminal and headless ones in turn, and what a key takes.

Two labs are up, one behind the console, one headless; they run one-scope alternately, so that whatever else the machine
does meets both. Both record. The first pair warms up and does not count. When the key comes is drawn by lot, the same
for both of a pair: after a round time it would always meet the chunks, which come at round times too.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from app.headless import Headless, Watch
from app.pump import LabProcess
from app.results import results
from app.scenario import find
from app.screens.live import QUIET_NS
from probes.events import Event, Signal
from probes.record import read
from tests.benchmarks.figures import heading, percentile, row, versus
from tests.kit.terminal import Terminal

PAIRS = 20
SIZES = ((120, 36), (200, 60))
SCENARIO = "one-scope"
MOMENTS = (
    ("client", "done_us"),
    ("wire", "interrupt_us"),
    ("server", "done_us"),
    ("server", "cleanup_us"),
    ("resource", "cleanup_us"),
)
_ARMED = (b"in mid-stream", b"in response body", b"in statement executing")
_SPREAD = 0.02
"""Seconds; one-scope's chunks are so far apart."""
_BREATH = 0.1
"""Seconds between two runs."""

Result = Mapping[str, Any]


@dataclass
class Taken:
    """What a session of pairs gave. ``typed``: when each key was written to the terminal, ``frames``: when the end of
    each frame was read (ns)."""

    screen: list[Result] = field(default_factory=list)
    headless: list[Result] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    typed: list[int] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)


async def _in_console(terminal: Terminal, hold: float) -> int:
    """One run by keys. Returns when the key that cancels was typed."""
    terminal.clear()
    terminal.press(b"\r")
    await terminal.until(*_ARMED)
    await asyncio.sleep(hold)
    terminal.clear()
    typed = terminal.press(b"c")
    await terminal.until(b"after its start")
    return typed


async def session(columns: int, rows: int, pairs: int, folder: Path) -> Taken:
    """``pairs`` pairs of runs and one more to warm up, console first, headless second."""
    settings = find(SCENARIO).settings
    path, taken = folder / f"console-{columns}.jsonl", Taken()
    watch = Watch(taken.headless.append)
    lab = LabProcess(watch.take)
    random = Random(1)
    argv = (sys.executable, "-m", "app", "console", "--record", str(path), SCENARIO)
    with Terminal(*argv, columns=columns, rows=rows) as terminal:
        try:
            lab.start_recording(folder / f"headless-{columns}.jsonl")
            await lab.start()
            await terminal.until(b"Press", b"to start a run")
            for number in range(1, pairs + 2):
                hold = settings.hold + random.uniform(0, _SPREAD)
                taken.typed.append(await _in_console(terminal, hold))
                await asyncio.sleep(_BREATH)
                await Headless(lab, watch, replace(settings, hold=hold)).one(number)
                await asyncio.sleep(_BREATH)
            terminal.press(b"q")
            await terminal.status()
            taken.frames = terminal.frames
        finally:
            await lab.stop()
    taken.events = list(read(path).events)
    taken.screen = list(results(taken.events))
    for found in (taken.screen, taken.headless, taken.typed):
        del found[0]
    return taken


# --- figures ------------------------------------------------------------------------------------------

Table = dict[tuple[str, str, str], list[float]]
"""(lane, layer, moment) -> ns after the trigger, one a run in which it came."""


def moments(found: Sequence[Result]) -> Table:
    table: Table = defaultdict(list)
    for result in found:
        for lane, state in result["lanes"].items():
            for layer, moment in MOMENTS:
                if (at := state[layer].get(moment)) is not None:
                    table[lane, layer, moment].append(at)
    return table


def _relative(table: Table, base: Table) -> list[float]:
    """Every value as a multiple of the median that its moment has in ``base``, all moments together."""
    medians = {key: percentile(values, 0.5) for key, values in base.items()}
    return [value / medians[key] for key, values in table.items() if key in medians for value in values]


def _print_moments(taken: Taken, size: str) -> None:
    screen, headless = moments(taken.screen), moments(taken.headless)
    print(f"\nMoments after the trigger, UI at {size} against headless, {len(taken.screen)} pairs")
    print(f"{'p95, µs':<44} {'headless':>9} {'UI':>11} {'ratio':>7} {'medians':>7}")
    for key in [key for key in headless if key in screen]:
        name = f"{key[0]} {key[1]} {key[2].removesuffix('_us')}"
        print(versus(name, headless[key], screen[key]))
    plain, drawn = _relative(headless, headless), _relative(screen, headless)
    print(versus("all, as multiples of the headless median", plain, drawn, "budget: ratio <= 1.10"))
    odd, even = (_relative(moments(taken.headless[start::2]), headless) for start in (0, 1))
    print(versus("the same, headless runs among themselves", odd, even, "what chance does"))


def _signals(taken: Taken) -> Iterator[list[Signal]]:
    """The signals of each counted run of the console."""
    runs: dict[int, list[Signal]] = defaultdict(list)
    for event in taken.events:
        if isinstance(event, Signal):
            runs[event.run].append(event)
    yield from (runs[result["run"]] for result in taken.screen)


def _fan_out(found: Sequence[Result]) -> list[float]:
    firsts = ([lane["caller"]["done_us"] for lane in result["lanes"].values()] for result in found)
    return [max(times) - min(times) for times in firsts]


def _print_keys(taken: Taken, size: str) -> None:
    read_ms, typed_ms = [], []
    for signals, typed in zip(_signals(taken), taken.typed, strict=True):
        first = min(signal.t for signal in signals)
        read_ms.append((first - signals[0].key_ns) / 1e6)
        typed_ms.append((first - typed) / 1e6)
    print(heading(f"Key press to signal issued, UI at {size}"))
    print(row("from Textual's stamp of the key", read_ms, "ms", "budget: p95 <= 16"))
    print(row("from the byte written to the terminal", typed_ms, "ms", "budget: p95 <= 16"))
    shaken = sum(any(typed < frame < typed + QUIET_NS for frame in taken.frames) for typed in taken.typed)
    print(f"{'keys with a frame in the 40 ms after them':<44} {shaken:>9}   of {len(taken.typed)}")
    print(row("first to last lane, UI on", _fan_out(taken.screen), "µs", "budget: <= 100"))
    print(row("first to last lane, headless", _fan_out(taken.headless), "µs", "budget: <= 100"))


def main(brief: bool = False) -> None:
    for columns, rows in SIZES[:1] if brief else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            taken = asyncio.run(session(columns, rows, 2 if brief else PAIRS, Path(folder)))
        _print_moments(taken, f"{columns}x{rows}")
        _print_keys(taken, f"{columns}x{rows}")


if __name__ == "__main__":
    main()
