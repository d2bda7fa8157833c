"""What one frame of the console costs: ``python -m tests.benchmarks.paint``."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.style import Style

from app.paint import evidence, machine, scoreboard, status, timeline, timeouts
from app.paint.canvas import Role
from app.paint.frame import framed
from app.paint.view import Painter, View
from tests.benchmarks.figures import row
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told, view

_REPEATS = 400
PALETTE = {role: Style(color="#58a6ff", bgcolor="#0b0f14", bold=bool(role % 2)) for role in Role}
PANELS: tuple[tuple[Painter, int, int], ...] = (
    (timeline.paint_timeline, 154, 50),
    (scoreboard.paint_scoreboard, 154, 9),
    (evidence.paint_evidence, 154, 20),
    (machine.paint_machine, 42, 44),
    (timeouts.paint_timeouts, 42, 12),
    (status.paint_status, 200, 1),
    (status.paint_footer, 200, 1),
)


def timed(work: Callable[[], object]) -> list[float]:
    """Milliseconds of each repeat."""
    times = []
    for _ in range(_REPEATS):
        before = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - before) / 1e6)
    return times


def paint_timeline(seen: View, columns: int, rows: int) -> None:
    framed(timeline.paint_timeline, timeline.title, "box", seen, columns, rows).strips(PALETTE)


def paint_all(seen: View) -> None:
    for painter, columns, rows in PANELS:
        framed(painter, None, "box", seen, columns, rows).strips(PALETTE)


def main() -> None:
    """Print median and 95th percentile of a frame, everything painted anew."""
    zombie = view(kit.cancelled(), Told().zero + 940_000_000)
    running = view(kit.running(), Told().zero)
    print(row("timeline 200x60, four lanes, zombie", timed(lambda: paint_timeline(zombie, 200, 60)), "ms", "< 4"))
    print(row("timeline 200x60, four lanes, armed", timed(lambda: paint_timeline(running, 200, 60)), "ms", "< 4"))
    print(row("timeline 120x36", timed(lambda: paint_timeline(zombie, 86, 27)), "ms"))
    print(row("every panel at 200x60", timed(lambda: paint_all(zombie)), "ms", "p95 < 8"))


if __name__ == "__main__":
    main()
