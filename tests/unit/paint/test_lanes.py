"""The lane panel's cells: tabs, values, what a value could be, and what is wrong."""

from __future__ import annotations

import pytest

from app.actions import hints
from app.draft import Table
from app.laneform import Form
from app.paint.canvas import Canvas, Role
from app.paint.lanes import paint_lanes, title
from probes import catalogue

GRPC: Table = {"protocol": "grpc", "phase": "mid-stream", "cause": "task.cancel"}
IDLE: Table = {"protocol": "http/1.1", "phase": "idle", "cause": "task.cancel"}
WHY = "no call is open: there is no task to cancel"


def form(*tables: Table, lane: int = 0) -> Form:
    return Form(tables, tables, lane)


def painted(state: Form, problem: str = "", columns: int = 118, rows: int = 34) -> Canvas:
    return paint_lanes(state, problem, hints("lanes"), columns, rows)


def text(canvas: Canvas) -> str:
    return "\n".join(canvas.text(y).rstrip() for y in range(canvas.rows))


def role_of(canvas: Canvas, words: str) -> Role:
    for y in range(canvas.rows):
        if (x := canvas.text(y).find(words)) >= 0:
            return canvas.role(x, y)
    raise AssertionError(f"{words!r} is not there")


def test_the_lane_that_is_looked_at_is_lit_among_the_tabs() -> None:
    canvas = painted(form(GRPC, IDLE, lane=1))
    assert canvas.text(0).rstrip() == "  1 grpc  [2 http/1.1]"
    assert role_of(canvas, "2 http/1.1") is Role.LIT_TEXT
    assert role_of(canvas, "1 grpc") is Role.DIM


def test_nine_lanes_fit_the_smallest_screen() -> None:
    state = form(GRPC)
    for _ in range(8):
        state = state.added()
    row = painted(state, columns=78, rows=22).text(0)
    assert all(f"{number} g" in row for number in range(1, 10))


def test_a_value_stands_beside_all_that_it_could_be() -> None:
    canvas = painted(form(GRPC))
    assert "▌  phase         ◂ mid-stream ▸" in text(canvas)
    assert all(phase in text(canvas) for phase in catalogue.PHASES["grpc"])


def test_what_cannot_be_is_grey_marked_and_says_why() -> None:
    canvas = painted(form(IDLE).moved(1))
    assert canvas.text(5).startswith("   phase           × idle")
    assert role_of(canvas, "× idle") is Role.DIM
    assert WHY in text(canvas)


@pytest.mark.parametrize("size", [(78, 22), (98, 28), (118, 34), (122, 40)])
def test_in_any_size_the_reason_is_read_in_full(size: tuple[int, int]) -> None:
    canvas = painted(form(IDLE).moved(1), f"http/1.1: cause: task.cancel cannot come in the phase 'idle': {WHY}", *size)
    assert WHY in " ".join(text(canvas).replace("│", " ").split())
    assert role_of(canvas, "http/1.1: cause") is Role.ALERT
    assert "a apply" in canvas.text(size[1] - 1)


@pytest.mark.parametrize("columns", [78, 98, 118])
def test_what_a_choice_means_is_read_in_full(columns: int) -> None:
    state = form({**GRPC, "behaviour": "blocking"}).moved(3)
    canvas = painted(state, columns=columns, rows=22)
    right = " ".join(canvas.text(y).partition("│")[2].strip() for y in range(22))
    assert "blocks its loop between two chunks and cannot be told there" in " ".join(right.split())


def test_what_is_typed_stands_in_the_values_place() -> None:
    state = form(GRPC).moved(4).begun("1").wrote("5ms")
    assert "▌  delay           15ms▏" in text(painted(state))


@pytest.mark.parametrize("rows", range(8, 40))
def test_the_cursor_is_always_seen(rows: int) -> None:
    state = form(GRPC)
    for _ in range(len(state.rows)):
        assert f"▌  {state.row.label}" in text(painted(state, columns=78, rows=rows))
        state = state.moved(1)


def test_the_title_tells_whether_anything_was_changed() -> None:
    assert title(form(GRPC), "one-scope") == ("lanes of the next run", "one-scope")
    assert title(form(GRPC).stepped(1), "one-scope")[1] == "one-scope, changed"


def test_nothing_that_was_typed_is_obeyed() -> None:
    state = form({**GRPC, "name": "x\x1b[2J"})
    assert "\x1b" not in text(painted(state, "\x1b]0;x"))
