"""The grid's cells: what each looks like, where one stands, and what is said of it."""

from __future__ import annotations

import pytest

from app.actions import hints
from app.coverage import Cell
from app.grid import Grid
from app.paint.canvas import Canvas, Role
from app.paint.coverage import IMPOSSIBLE, MISSING, REACHED, TRIED, look, paint_coverage, title
from probes import catalogue
from probes.catalogue import CAUSES, PHASES, PROTOCOLS
from probes.tried import Tried

KEY = ("grpc", "mid-stream", "task.cancel")
ZOMBIE = ("http/2", "response body", "task.cancel")
SCENARIOS = {KEY: ("one", "two"), ("http/1.1", "idle", "server FIN"): ("three",)}
CELLS = {
    (protocol, phase, cause): Cell(protocol, phase, cause, SCENARIOS.get((protocol, phase, cause), ()), why)
    for protocol, phase, cause, why in catalogue.cells()
}
GRID = Grid(CELLS, {KEY: Tried(1, "clean"), ZOMBIE: Tried(3, "zombie")})
SIZES = [(78, 22), (98, 28), (118, 34), (122, 40)]


def painted(grid: Grid = GRID, columns: int = 118, rows: int = 34) -> Canvas:
    return paint_coverage(grid, hints("coverage"), columns, rows)


def text(canvas: Canvas) -> str:
    return "\n".join(canvas.text(y).rstrip() for y in range(canvas.rows))


def test_the_four_looks_differ_by_shape() -> None:
    idle = ("http/1.1", "idle", "server FIN")
    assert look(GRID, KEY) == (TRIED, Role.CLEANUP)
    assert look(GRID, ZOMBIE) == (TRIED, Role.ALERT)
    assert look(GRID, idle)[0] == REACHED
    assert look(GRID, ("grpc", "connecting", "task.cancel"))[0] == MISSING
    assert look(GRID, ("grpc", "connecting", "break"))[0] == IMPOSSIBLE
    assert len({TRIED, REACHED, MISSING, IMPOSSIBLE}) == 4


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lane", range(4))
def test_every_cell_of_a_lane_is_there_in_any_size(size: tuple[int, int], lane: int) -> None:
    grid = GRID.other_lane(lane)
    canvas = painted(grid, *size)
    causes = CAUSES[grid.protocol]
    first = next(y for y in range(size[1]) if canvas.text(y).startswith(f" {causes[0]} "))
    for index, cause in enumerate(causes):
        line = canvas.text(first + index)
        assert line.startswith(f" {cause} ")
        found = [char for char in line if char in (TRIED, REACHED, MISSING, IMPOSSIBLE)]
        wanted = [look(grid, (grid.protocol, phase, cause))[0] for phase in PHASES[grid.protocol]]
        assert len(found) == sum({IMPOSSIBLE: 1, TRIED: 2}.get(char, 3) for char in wanted)
    assert "esc leave" in canvas.text(size[1] - 1)


@pytest.mark.parametrize("size", SIZES)
def test_every_cell_can_be_walked_to_and_is_seen(size: tuple[int, int]) -> None:
    grid, seen = GRID, set()
    for _ in range(sum(map(len, PHASES.values()))):
        for _ in range(20):
            grid = grid.moved(0, -1)
        for _ in range(len(CAUSES[grid.protocol])):
            seen.add(grid.key)
            assert "▐" in text(painted(grid, *size))
            grid = grid.moved(0, 1)
        grid = grid.moved(1, 0)
    assert seen == set(CELLS)
    assert grid.at(*GRID.key).key == GRID.key
    assert GRID.moved(-1, 0).protocol == PROTOCOLS[-1]
    assert GRID.at("grpc", "nowhere", "task.cancel") == GRID


def test_the_reason_of_what_cannot_be_is_read_in_full() -> None:
    for key, cell in CELLS.items():
        if cell.why:
            found = text(painted(GRID.at(*key), 78, 22))
            assert f"cannot be: {cell.why}" in " ".join(found.split())


def test_what_is_known_of_a_cell() -> None:
    assert "grpc · mid-stream · task.cancel  tried once, last clean\n in one, two\n" in text(painted(GRID.at(*KEY)))
    assert "tried 3 times, last zombie\n no scenario has such a lane: enter makes one" in text(
        painted(GRID.at(*ZOMBIE))
    )
    offered = [hint for hint in hints("coverage") if hint.action != "open"]
    assert "enter" not in text(paint_coverage(GRID.at(*ZOMBIE), offered, 118, 34))


def test_all_lanes_are_seen_at_once_where_there_is_room() -> None:
    canvas = painted()
    assert text(canvas).count(TRIED * 2) == 3, "one large, two small"
    assert "http/1.1" in canvas.text(20)
    assert text(painted(GRID, 78, 22)).count(TRIED * 2) == 1


def test_many_scenarios_are_cut_and_say_so() -> None:
    names = tuple(f"a-scenario-with-a-long-name-{number}" for number in range(40))
    grid = Grid({**CELLS, KEY: Cell(*KEY, names)}).at(*KEY)
    assert " …" in text(painted(grid, 78, 22))


def test_the_title_counts() -> None:
    done, reached, possible = GRID.counts()
    assert (done, reached, possible) == (2, 2, sum(not cell.why for cell in CELLS.values()))
    assert title(GRID) == ("coverage", f"2 tried · 2 with a scenario · {possible} possible")
    assert title(Grid(CELLS, {}, 12))[1].startswith("counting 12 more runs · 0 tried")
