"""An hour of runs in the live console's session: what its memory grows by, and what looking back costs.

Told runs of the usual size, one every three seconds, are fed as the lab would feed them, in a process of its own; a
tenth of the session is fed first, so that what only a first run needs is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.source import LiveSource
from probes.events import Event
from probes.replay import Player
from tests.benchmarks.figures import heading, row
from tests.benchmarks.replay import usual
from tests.kit.six_lanes import settings

EVERY_S = 3
HOUR_S = 3600
_LOOKS = 50


def _rss_mib() -> float:
    """0 where there is no /proc."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def feed(source: LiveSource, run: list[Event], first: int, last: int) -> None:
    """The runs ``first`` to ``last``, in blocks as they come, each looked at once as a frame would."""
    for number in range(first, last + 1):
        shift = number * EVERY_S * 10**9
        source.feed([replace(event, run=number, t=event.t + shift, seq=event.seq + number * 1000) for event in run])
        assert source.run.ended
        assert source.history


def measure(runs: int) -> dict[str, Any]:
    """MiB, and ms of a look back at runs here and there."""
    source, run = LiveSource(settings(), time.monotonic_ns), usual()
    feed(source, run, 1, runs // 10)
    early = _rss_mib()
    feed(source, run, runs // 10 + 1, runs)
    late = _rss_mib()
    looks = []
    player = Player(source.log.archive())
    for look in range(_LOOKS):
        began = time.perf_counter_ns()
        player.seek(player.run_start(1 + look * (runs - 1) // _LOOKS) + EVERY_S * 10**9 // 2)
        assert player.log.run(player.run).lanes
        looks.append((time.perf_counter_ns() - began) / 1e6)
    return {"events": len(run), "early": early, "late": late, "looks": looks}


def main(brief: bool = False) -> None:
    runs = HOUR_S // EVERY_S // (20 if brief else 1)
    done = subprocess.run(
        (sys.executable, "-m", "tests.benchmarks.memory", str(runs)), capture_output=True, check=True, text=True
    )
    got = json.loads(done.stdout)
    print(heading(f"A live session of {runs} runs of {got['events']} events"))
    print(f"{'memory after a tenth of them':<44} {got['early']:>9.0f} MiB")
    print(f"{'memory after all of them':<44} {got['late']:>9.0f} MiB")
    grown = (got["late"] - got["early"]) / max(1, runs - runs // 10) * 1024
    print(f"{'grown by, a run':<44} {grown:>9.1f} KiB")
    print(row("look back at a run", got["looks"], "ms", "budget: <= 100"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        main()
