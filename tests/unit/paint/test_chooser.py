"""The chooser's cells: groups, the chosen one, and everything about it, in any room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.actions import hints
from app.chooser import Choosing, Item
from app.paint.canvas import Canvas, Role
from app.paint.chooser import paint_chooser, title
from app.paint.plans import cause, extras
from probes.events import CALLED_BY, FaultPlan, LanePlan

PLAN = LanePlan(lane="grpc", protocol="grpc", phase="mid-stream", behaviour="slow-cleanup:0.3", shape="server stream")
ITEMS = (
    Item("/one.toml", "one", "several", "The first", "Says what it shows.", (("settles in", "1s"),), (PLAN,)),
    Item("/two.toml", "two", "gRPC", "The second", lanes=(PLAN,)),
    Item("/bad.toml", "bad", "cannot be loaded", "bad", problem="/bad.toml:3: phase: there is no such phase"),
)
STATE = Choosing(ITEMS, 3)


def painted(state: Choosing = STATE, columns: int = 118, rows: int = 30) -> Canvas:
    return paint_chooser(state, hints("scenarios"), columns, rows)


def text(canvas: Canvas) -> str:
    return "\n".join(canvas.text(y).rstrip() for y in range(canvas.rows))


def role_of(canvas: Canvas, words: str) -> Role:
    for y in range(canvas.rows):
        if (x := canvas.text(y).find(words)) >= 0:
            return canvas.role(x, y)
    raise AssertionError(f"{words!r} is not there")


def test_headings_and_titles_and_the_chosen_one() -> None:
    canvas = painted()
    lines = [canvas.text(y)[:46].rstrip() for y in range(2, 8)]
    assert lines == [
        " several",
        "▌  The first                               one",
        " gRPC",
        "   The second                              two",
        " cannot be loaded",
        "   bad",
    ]
    assert role_of(canvas, "bad") is Role.ALERT


def test_all_about_the_chosen_one_stands_beside_it() -> None:
    seen = text(painted())
    for words in ("Says what it shows.", "1 grpc", "mid-stream", "slow-cleanup:0.3", "settles in    1s"):
        assert words in seen
    assert "The second" in text(painted(STATE.moved(1)))


def test_what_cannot_be_loaded_says_why() -> None:
    assert role_of(painted(STATE.moved(2)), "/bad.toml:3: phase") is Role.ALERT


@pytest.mark.parametrize("size", [(78, 22), (98, 28), (118, 34)])
def test_nothing_of_it_is_lost_in_any_size(size: tuple[int, int]) -> None:
    seen = text(painted(STATE, *size))
    for words in ("The first", "The second", "Says what it shows.", "1 grpc", "settles in", "enter load", "esc leave"):
        assert words in seen


def test_what_is_typed_is_seen_and_how_much_is_found() -> None:
    state = STATE.found("wor", ITEMS[:1])
    assert "find wor▏" in text(painted(state))
    assert title(state) == ("scenarios", "1 of 3")
    assert "nothing is found" in text(painted(state.found("zzz", ())))


def test_a_long_path_shows_its_end() -> None:
    state = STATE.found("/a/very/long/path" * 9 + "/end.toml", ITEMS[:1])
    assert "/end.toml▏" in painted(state).text(0)


@given(count=st.integers(1, 60), index=st.integers(0, 59), rows=st.integers(10, 40), columns=st.integers(30, 130))
def test_the_chosen_one_is_always_seen(count: int, index: int, rows: int, columns: int) -> None:
    items = tuple(Item(str(n), f"n{n}", f"group {n // 7}", f"title-{n}-") for n in range(count))
    state = Choosing(items, count).moved(index)
    assert "▌" in text(painted(state, columns, rows))


def test_nothing_in_a_file_is_obeyed() -> None:
    evil = Item("/x", "x\x1b[2J", "g\x07", "t\x1b]0;x\x07", "s\x9b", (("k", "v\x1b"),), (PLAN,))
    assert "\x1b" not in text(painted(Choosing((evil,), 1)))
    assert "\x9b" not in text(painted(Choosing((evil,), 1)))


def test_the_extras_of_a_lane_are_what_is_not_usual() -> None:
    plain = LanePlan(lane="a", protocol="http/2", phase="idle")
    assert extras(plain) == ""
    full = LanePlan(
        lane="a",
        protocol="http/2",
        phase="idle",
        tls=True,
        middleware=("pass", "shield"),
        faults=(FaultPlan(kind="cut", how="RST"),),
        options={"linger": True, "pool_size": 1},
    )
    assert extras(full) == "TLS · through pass ▸ shield · fault cut RST · linger true · pool_size 1"


def test_a_hop_says_whose_handler_calls_it() -> None:
    assert cause(LanePlan(lane="b", protocol="http/1.1", phase="idle", options={CALLED_BY: "a"})) == "called by a"
