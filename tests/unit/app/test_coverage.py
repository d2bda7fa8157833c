"""The grid of lanes, phases and causes: what scenarios reach, what cannot be, what is missing."""

from __future__ import annotations

from app.coverage import as_json, cover, table, totals
from app.scenario import Loaded, parse
from probes.catalogue import cells

from .test_expect import GRPC, HEAD, HTTP


def loaded(name: str, *lanes: str) -> Loaded:
    text = HEAD + "".join(lanes)
    return Loaded(name, text, parse(text, name))


SECOND = GRPC + 'name = "second"\n'


def test_a_cell_is_reached_by_the_scenarios_that_have_such_a_lane() -> None:
    grid = cover([loaded("a", GRPC, SECOND), loaded("b", GRPC, HTTP)])
    assert len(grid) == len(list(cells()))
    reached = {(cell.lane, cell.phase, cell.cause): cell.by for cell in grid if cell.state == "reached"}
    assert reached == {
        ("grpc", "mid-stream", "task.cancel"): ("a", "b"),
        ("http/2", "response body", "task.cancel"): ("b",),
    }


def test_a_hop_reaches_no_cell_of_its_own() -> None:
    hop = HTTP.replace("http/2", "http/1.1") + 'options = { called_by = "grpc" }\n'
    assert [cell.lane for cell in cover([loaded("a", GRPC, hop)]) if cell.by] == ["grpc"]


def test_every_cell_is_one_of_three_and_the_totals_add_up() -> None:
    grid = cover([loaded("a", GRPC)])
    assert {cell.state for cell in grid} == {"reached", "impossible", "missing"}
    assert all(bool(cell.why) == (cell.state == "impossible") for cell in grid)
    counts = totals(grid)
    assert sum(counts["all"].values()) == len(grid)
    for state in ("reached", "impossible", "missing"):
        assert sum(each[state] for lane, each in counts.items() if lane != "all") == counts["all"][state]
    assert as_json(grid)["totals"] == counts


def test_the_table_names_up_to_three_scenarios_and_says_why_not() -> None:
    text = table(cover([loaded(name, GRPC) for name in "abcde"]))
    assert "    task.cancel            reached     a, b, c and 2 more\n" in text
    assert "    server abort           impossible  no server has the call yet\n" in text
    assert text.splitlines()[-1].split() == [
        "all",
        *(str(n) for n in totals(cover([loaded("a", GRPC)]))["all"].values()),
    ]
