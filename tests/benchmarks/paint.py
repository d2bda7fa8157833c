"""What the painters cost, without Textual: cells and strips of a frame in which every row is painted anew."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.style import Style

from app.paint import evidence, machine, scoreboard, stage, status, timeline, timeouts
from app.paint.canvas import Role
from app.paint.frame import framed
from app.paint.view import Painter, View
from tests.benchmarks.figures import heading, row
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


def timed(work: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds of each repeat."""
    times = []
    for _ in range(repeats):
        before = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - before) / 1e6)
    return times


def paint_timeline(seen: View, columns: int, rows: int) -> None:
    framed(timeline.paint_timeline, timeline.title, "box", seen, columns, rows).strips(PALETTE)


def paint_stage(seen: View) -> None:
    framed(stage.paint_stage, stage.title, "box", seen, 200, 58).strips(PALETTE)


def paint_all(seen: View) -> None:
    for painter, columns, rows in PANELS:
        framed(painter, None, "box", seen, columns, rows).strips(PALETTE)


def main(brief: bool = False) -> None:
    zombie = view(kit.cancelled(), Told().zero + 940_000_000)
    running = view(kit.running(), Told().zero)
    works: tuple[tuple[str, Callable[[], object], str], ...] = (
        ("timeline 200x60, four lanes, zombie", lambda: paint_timeline(zombie, 200, 60), "budget: < 4"),
        ("timeline 200x60, four lanes, armed", lambda: paint_timeline(running, 200, 60), "budget: < 4"),
        ("timeline 120x36", lambda: paint_timeline(zombie, 86, 27), ""),
        ("machine on the whole screen, 200x60", lambda: paint_stage(zombie), "budget: p95 < 8"),
        ("every panel at 200x60", lambda: paint_all(zombie), "budget: p95 < 8"),
    )
    print(heading("Painters alone, everything painted anew"))
    for name, work, budget in works:
        print(row(name, timed(work, 4 if brief else _REPEATS), "ms", budget))


if __name__ == "__main__":
    main()
