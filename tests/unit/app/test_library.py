"""The scenarios to choose from: grouped, searched, and what cannot be loaded says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.chooser import Choosing, Item
from app.library import BROKEN, GROUPS, OWN, Library, group_of, is_path
from app.paths import scenario_files
from probes.events import LanePlan

from .test_expect import GRPC, HEAD, HTTP

POSTGRES = HTTP.replace("http/2", "postgres").replace("response body", "rows streaming")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    texts = {
        "both": HEAD + GRPC + HTTP,
        "stream": HEAD.replace("T", "A stream") + GRPC,
        "bodies": HEAD + HTTP + HTTP.replace("http/2", "http/1.1"),
        "rows": HEAD + POSTGRES,
        "chain": HEAD + GRPC + HTTP.replace("http/2", "http/1.1") + 'options = { called_by = "grpc" }\n',
        "wrong": HEAD + GRPC.replace("mid-stream", "mid-steam"),
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return Library(lambda: {path.stem: path for path in sorted(tmp_path.glob("*.toml"))})


def names(items: tuple[Item, ...]) -> list[str]:
    return [item.name for item in items]


def test_groups_stand_in_the_order_of_the_table(library: Library) -> None:
    found = [(item.group, item.name) for item in library.items]
    assert found == [
        (GROUPS[""], "both"),
        (GROUPS["grpc"], "stream"),
        (GROUPS["http"], "bodies"),
        (GROUPS["postgres"], "rows"),
        ("hops", "chain"),
        (BROKEN, "wrong"),
    ]


def test_what_cannot_be_loaded_says_so_in_one_line(library: Library, tmp_path: Path) -> None:
    broken = library.items[-1]
    assert broken.problem.startswith(f"{tmp_path}/wrong.toml:5: lanes.1.phase: grpc has no phase 'mid-steam'")
    assert "\n" not in broken.problem
    assert names(library.search("wrong")) == ["wrong"]
    assert "wrong" not in [loaded.name for loaded in library.loaded]


def test_every_word_must_be_found(library: Library) -> None:
    assert names(library.search("http/2")) == ["both", "bodies"]
    assert names(library.search("POSTGRES rows")) == ["rows"]
    assert names(library.search("nobody has this")) == []


def test_an_item_has_what_one_chooses_by(library: Library) -> None:
    (item,) = library.named(["stream"])
    assert (item.title, item.lanes[0].phase) == ("A stream", "mid-stream")
    assert dict(item.facts)["cancelled by"].startswith("a key")
    assert library.get(item.key).name == "stream"


def test_a_path_is_a_file_of_ones_own(library: Library, tmp_path: Path) -> None:
    own = tmp_path / "mine" / "own.toml"
    own.parent.mkdir()
    (missing,) = library.search(str(own))
    assert missing.problem == f"{own}: No such file or directory"
    own.write_text(HEAD + GRPC, encoding="utf-8")
    (item,) = library.search(str(own))
    assert (item.group, item.problem, library.get(item.key).settings.scenario) == (OWN, "", "own")


@pytest.mark.parametrize(
    ("text", "path"), [("x.toml", True), ("./x", True), ("~/", True), ("http/2", False), ("toml", False), ("", False)]
)
def test_what_is_taken_for_a_path(text: str, path: bool) -> None:
    assert is_path(text) is path


def test_all_that_is_shipped_can_be_loaded() -> None:
    library = Library()
    assert len(library.loaded) == len(library.items) == len(scenario_files())


def test_http_lanes_of_both_versions_are_one_group() -> None:
    plans = [LanePlan(lane=name, protocol=name, phase="idle") for name in ("http/1.1", "http/2")]
    assert group_of(plans) == GROUPS["http"]


def item(name: str) -> Item:
    return Item(name, name, "g", name)


def test_the_one_that_is_looked_at_stays_when_others_are_found() -> None:
    state = Choosing((item("a"), item("b"), item("c")), 3).at("b")
    assert state.found("x", (item("b"), item("c"))).item == item("b")
    assert state.found("x", (item("a"), item("c"))).item == item("a")
    assert state.found("x", ()).item is None
    assert state.found("x", ()).moved(1).item is None
    assert state.at("nowhere") == state


def test_moving_ends_at_the_ends() -> None:
    state = Choosing((item("a"), item("b"), item("c")), 3)
    assert state.moved(-1).index == 0
    assert state.moved(99).moved(1).index == 2
