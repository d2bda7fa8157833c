"""``make bench``, or ``python -m tests.benchmarks [--only NAME ...] [--brief]``: prints figures beside their budgets.

Nothing passes or fails. What else runs on the machine is in the figures: the load before and after is printed too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

from tests.benchmarks import drawing, hop, memory, paint, recorder, replay, start, ui
from tests.benchmarks.figures import machine

BENCHMARKS: dict[str, Callable[[bool], None]] = {
    "hop": hop.main,
    "start": start.main,
    "paint": paint.main,
    "drawing": drawing.main,
    "ui": ui.main,
    "recorder": recorder.main,
    "replay": replay.main,
    "memory": memory.main,
}
"""By name, in the order in which they run. Called with True they take a few values only."""


def _arguments(args: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = ", ".join(BENCHMARKS)
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME", help=f"only this one, may be repeated: {names}"
    )
    parser.add_argument("--brief", action="store_true", help="a few values only: shows that it works, measures little")
    return parser.parse_args(args)


def _load() -> str:
    return "load " + " ".join(f"{value:.2f}" for value in os.getloadavg())


def main(args: list[str] | None = None) -> int:
    asked = _arguments(args)
    began = time.monotonic()
    print(f"{machine()}, {_load()}", flush=True)
    for name, run in BENCHMARKS.items():
        if not asked.only or name in asked.only:
            run(asked.brief)
            sys.stdout.flush()
    print(f"\n{time.monotonic() - began:.0f} s, {_load()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
