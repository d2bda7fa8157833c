"""The graph of the machine's table: nothing of the table is missing, and what a lane went through can be seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from app.paint import across, down, stage
from app.paint.canvas import Canvas, Role
from app.paint.graph import CHAIN, EDGES, ENDS, LOOPS, RAILS, STEPS, Side, drops, sides
from app.paint.pair import pair
from app.paint.view import Playback, View
from app.paint.wires import HEAVY, LIGHT, Wires
from probes import events as ev
from probes import verdict as judge
from probes.machine import TABLE, TERMINAL, Input, Machine, State
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told, view


def text(canvas: Canvas) -> str:
    return "\n".join(canvas.text(y).rstrip() for y in range(canvas.rows))


def find(canvas: Canvas, words: str) -> tuple[int, int]:
    for y in range(canvas.rows):
        if words in canvas.text(y):
            return canvas.text(y).index(words), y
    raise AssertionError(f"{words!r} is nowhere in\n{text(canvas)}")


def role_of(canvas: Canvas, words: str) -> Role:
    return canvas.role(*find(canvas, words))


def staged(seen: View, columns: int = 118, rows: int = 32) -> Canvas:
    return stage.paint_stage(seen, columns, rows)


# --- the table ----------------------------------------------------------------------------------------


def test_every_transition_of_the_table_is_a_step_a_rail_a_drop_or_a_loop() -> None:
    drawn = {(source, event) for source, events in LOOPS.items() for event in events}
    for edge in (*STEPS.values(), *RAILS, *(edge for state in CHAIN for edge in drops(state).values())):
        drawn |= {(edge.source, event) for event in edge.inputs}
    assert drawn == {(source, event) for source, row in TABLE.items() for event in row}
    assert set(ENDS) == TERMINAL
    assert CHAIN[0] is State.IDLE


def untouched(name: str = "client") -> Side:
    return Side(name, Machine(), 0, 0, None)


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("columns", [across.NARROW, 100, 200])
def test_every_edge_is_labelled_with_its_inputs(columns: int, spread: bool) -> None:
    canvas = Canvas(columns, across.height(spread))
    assert across.paint_across(canvas, 0, untouched(), spread=spread) == canvas.rows
    shown = text(canvas)
    for label in {edge.label for edge in EDGES}:
        loops = sum(label in LOOPS[state] for state in CHAIN) if spread else 0
        assert shown.count(label) == sum(edge.label == label for edge in EDGES) + loops
    assert all(state in shown for state in State)


@pytest.mark.parametrize("labels", [False, True])
def test_the_narrow_graph_has_every_state_and_every_way_to_an_end(labels: bool) -> None:
    canvas = Canvas(down.NARROW, down.height(labels))
    down.paint_down(canvas, 0, [untouched()], labels=labels)
    shown = text(canvas)
    assert all(state in shown for state in State)
    joints = sum(shown.count(glyph) for glyph in "┬┼┤") + shown.count("╮")
    assert joints == sum(len(drops(state)) for state in CHAIN)
    assert not labels or all(f"▾ {edge.label}" in shown for edge in STEPS.values())


# --- what a lane went through -------------------------------------------------------------------------


def test_the_way_that_a_side_took_is_heavy_and_where_it_is_stands_in_brackets() -> None:
    canvas = staged(view(kit.settled(), selected=2))
    client, server = text(canvas).split("server  ")[-2:]
    assert "━ cancel ━" in client
    assert "━▸[Cancelled]" in client
    assert "[PartialSent]╶─" in server
    assert "━▸ Cancelled" not in server
    assert role_of(canvas, "[PartialSent]") is Role.LIT_ALERT
    assert role_of(canvas, "[Cancelled]") is Role.LIT_CLEANUP


def test_each_state_says_when_it_was_entered() -> None:
    canvas = staged(view(kit.settled(), selected=2))
    assert "[Cancelled] 110 µs" in text(canvas)
    x, y = find(canvas, "Cancelling")
    assert canvas.text(y + 1)[x:].startswith("┃ 15 µs")


def test_a_transition_that_has_just_happened_flashes_in_its_edge_and_its_state() -> None:
    now = Told().zero + 120_000
    events = [event for event in kit.cancelled() if event.t <= now]
    fresh = staged(replace(view(events, now, selected=2), flash_ns=50_000))
    assert role_of(fresh, "[Cancelled]") is Role.LIT_TEXT
    assert role_of(fresh, "stopped━") is Role.STRONG
    assert role_of(fresh, "15 µs") is Role.DONE
    later = staged(replace(view(events, now, selected=2), flash_ns=5_000))
    assert role_of(later, "[Cancelled]") is Role.LIT_CLEANUP
    assert role_of(later, "stopped━") is Role.CLEANUP


def test_a_violation_is_red_and_names_its_event() -> None:
    told = Told().ready().fired(kit.settings())
    told.at(ev.Trigger, 0, "", cause="key")
    told.span(ev.SpanCompleted, 5, "grpc", "server")
    told.span(ev.SpanFailed, 12, "grpc", "server", "after its end", error="AioRpcError")
    canvas = staged(view(told.events, told.zero + 100_000))
    assert role_of(canvas, "1 violation: server fail in Completed at 12 µs: after its end") is Role.ALERT
    assert role_of(canvas, "1 violation") is Role.ALERT


@pytest.mark.parametrize("size", [(78, 22), (98, 27), (118, 32), (198, 58)])
def test_no_size_loses_meaning(size: tuple[int, int]) -> None:
    shown = text(staged(view(kit.settled(), selected=2), *size))
    for meaning in ("[Cancelled]", "[PartialSent]", "never told", "1.0 s", "accepted", "▌3 http/2", "4 postgres"):
        assert meaning in shown
    assert "64" in shown or "59" in shown


def test_where_there_is_no_room_the_selected_lane_is_still_in_the_list() -> None:
    assert "▌3 http/2" in text(staged(view(kit.settled(), selected=2), 80, 16))
    assert "PartialSent" in text(staged(view(kit.settled(), selected=2), 40, 12))


def test_before_the_first_run_there_is_no_verdict() -> None:
    shown = text(staged(view(kit.ready())))
    assert "no run yet" in shown
    assert judge.RUNNING not in shown
    assert shown.count("[Idle]") == 2


def test_slow_motion_is_named_above_it() -> None:
    seen = replace(view(kit.settled()), playback=Playback(True, "1/100", 0, 1, slow=True))
    assert stage.title(seen, 20)[1] == "slow motion 1/100 ▸"


# --- what the two sides make --------------------------------------------------------------------------


def test_a_pair_is_told_in_a_sentence() -> None:
    seen = view(kit.settled(), selected=2)
    assert seen.lane is not None
    assert pair(seen.lane, seen.now) == (
        judge.ZOMBIE,
        "client Cancelled, server PartialSent",
        "it was never told and worked for nobody for 1.0 s, 118 KiB, until the lab hung up",
    )


def test_too_late_says_what_had_been_sent() -> None:
    lane = view(kit.settled()).lanes[0]
    done = Machine().step(Input.OPEN, 1).step(Input.CHUNK, 2).step(Input.END, 3)
    assert pair(structs.replace(lane, server=done), 0)[2] == "everything had been sent"
    assert pair(structs.replace(lane, client=done), 0)[2] == "everything had been read"


def test_every_verdict_has_a_sentence_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = view(kit.settled()).lanes[0]
    told = set()
    for word in judge.WORDS:
        monkeypatch.setattr(judge, "verdict", lambda _lane, _now, word=word: word)
        told.add(pair(lane, 0)[2])
    assert len(told) == len(judge.WORDS)


# --- lines --------------------------------------------------------------------------------------------


def test_lines_that_meet_are_joined_and_the_heavier_one_is_seen() -> None:
    wires, canvas = Wires(), Canvas(5, 3)
    wires.line((0, 1), (4, 1), LIGHT, Role.FRAME)
    wires.line((2, 0), (2, 2), HEAVY, Role.DONE)
    wires.line((0, 1), (0, 2), LIGHT, Role.FRAME)
    wires.line((2, 1), (4, 1), HEAVY, Role.DONE)
    wires.paint(canvas)
    assert text(canvas) == "  ╻\n╭─╊━╸\n╵ ╹"
    assert (canvas.role(0, 1), canvas.role(2, 1)) == (Role.FRAME, Role.DONE)


def test_both_sides_of_a_lane_are_looked_at_from_the_same_trigger() -> None:
    seen = view(kit.settled(), selected=2)
    assert seen.lane is not None
    client, server = sides(seen.lane, seen)
    assert (client.name, server.name, server.zombie, client.zombie) == ("client", "server", True, False)
    assert client.entered(State.CANCELLED) == 110_000
    assert server.entered(State.CANCELLED) is None
