"""Faults on the screen: the menu, and the stretch of the wire's row on which one stands."""

from __future__ import annotations

import pytest
from msgspec import structs

from app import commands
from app.actions import hints
from app.faultmenu import ITEMS, Menu, items, menu
from app.paint.canvas import Canvas, Role
from app.paint.faultmenu import height, paint_faults, title
from app.paint.timeline import paint_timeline
from probes import events as ev
from probes.catalogue import FAULTS, PROTOCOLS
from probes.events import TO_SERVER, LanePlan
from probes.state import FaultState, LaneState
from probes.tap.faults import check
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told, view


def lane(protocol: str, *faults: FaultState) -> LaneState:
    return LaneState(LanePlan(lane=protocol, protocol=protocol, phase="idle"), faults=faults)


def painted(state: Menu, columns: int = 82) -> Canvas:
    return paint_faults(state, hints("faults"), columns, height(state) - 2)


def text(canvas: Canvas) -> str:
    return "\n".join(canvas.text(y).rstrip() for y in range(canvas.rows))


def role_of(canvas: Canvas, words: str) -> Role:
    for y in range(canvas.rows):
        if (x := canvas.text(y).find(words)) >= 0:
            return canvas.role(x, y)
    raise AssertionError(f"{words!r} is not there")


# --- the menu -----------------------------------------------------------------------------------------


def test_every_fault_of_the_menu_is_one_that_a_tap_can_make() -> None:
    for item in ITEMS:
        if item.fault is not None:
            check(item.fault)
            assert item.help == FAULTS[item.fault.kind]
    assert len({item.letter for item in ITEMS}) == len(ITEMS)


def test_only_postgresql_has_cancel_requests() -> None:
    found = {protocol: {item.letter for item in items(protocol)} for protocol in PROTOCOLS}
    assert found["postgres"] - found["grpc"] == {"l", "d"}
    assert found["grpc"] == found["http/1.1"] == found["http/2"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("columns", [76, 82])
def test_the_menu_shows_every_letter_with_its_fault(protocol: str, columns: int) -> None:
    state = menu(lane(protocol), 1)
    seen = text(painted(state, columns))
    assert all(f"{item.letter}   {item.label}" in seen for item in state.items)
    assert "enter do it" in seen
    assert title(state) == (f"faults · 2 {protocol}", "")


def test_what_stands_is_marked_and_named() -> None:
    stands, over = FaultState("freeze", "", 5), FaultState("slow", "", 5, 9)
    state = menu(lane("grpc", stands, over), 0)
    canvas = painted(state)
    assert role_of(canvas, "× freeze") is Role.ALERT
    assert role_of(canvas, "slow reader") is Role.TEXT
    assert title(state)[1] == "freeze stands"


def test_a_direction_is_chosen_where_there_is_one() -> None:
    state = menu(lane("grpc"), 0)
    assert role_of(painted(state), "[both]") is Role.LIT_TEXT
    turned = state.turned(1)
    assert role_of(painted(turned), f"[{TO_SERVER}]") is Role.LIT_TEXT
    command = turned.command(turned.item)
    assert isinstance(command, commands.Fault)
    assert command.fault.direction == TO_SERVER
    assert turned.turned(-1) == state
    cut = turned.moved(-1)
    assert " both " not in text(painted(cut))
    command = cut.command(cut.item)
    assert isinstance(command, commands.Fault)
    assert (command.fault.how, command.fault.direction) == ("FIN", "")


def test_thaw_ends_everything() -> None:
    state = menu(lane("grpc"), 0)
    thaw = state.named("t")
    assert thaw is not None
    assert state.command(thaw) == commands.Clear(lane="grpc")
    assert state.named("x") is None


@pytest.mark.parametrize(
    "command", [commands.Fault(lane="a", fault=ITEMS[3].fault or ev.FaultPlan(kind="")), commands.Clear(lane="a")]
)
def test_a_command_comes_through_the_pipe_as_it_was(command: commands.AnyCommand) -> None:
    assert commands.decode(commands.encode(command)) == command


# --- the wire's row -----------------------------------------------------------------------------------


def wire(told: Told, now: int, columns: int = 110) -> Canvas:
    return paint_timeline(view(told.events, now), columns, 26)


def row(canvas: Canvas, number: int = 0) -> str:
    return canvas.text(1 + number * 6 + 2)


def frozen(us: float, lane: str = "grpc", kind: str = "freeze", direction: str = "") -> Told:
    told = Told().ready().fired(kit.settings())
    return told.at(ev.FaultStarted, us, lane, layer="wire", fault=kind, direction=direction)


def test_while_armed_the_row_is_crossed_out_and_says_what_stands() -> None:
    told = frozen(-100_000, direction=TO_SERVER)
    canvas = wire(told, told.zero)
    assert row(canvas).count("×") > 2
    assert "× freeze →" in row(canvas)
    x = row(canvas).index("× freeze")
    assert canvas.role(x, 3) is Role.ALERT
    assert "×" not in row(canvas, 1)


def test_after_its_end_it_is_told_no_more_but_the_stretch_stays() -> None:
    told = frozen(-250_000)
    told.at(ev.FaultEnded, -100_000, "grpc", layer="wire", fault="freeze", conns=1, size=9, detail="cleared")
    canvas = wire(told, told.zero)
    assert "freeze" not in row(canvas)
    assert 0 < row(canvas).count("×") < 6


def test_a_stretch_behind_the_trigger_is_named_and_no_mark_is_covered() -> None:
    told = frozen(-100_000, "postgres")
    told.cancelled().settled()
    canvas = wire(told, told.zero, columns=140)
    assert " freeze " in row(canvas, 3)
    assert row(canvas, 3).count("■") == 2
    assert "CancelRequest" in row(canvas, 3)


def test_nothing_seen_stays_to_be_read() -> None:
    told = frozen(-100_000, "http/2", "black-hole")
    told.cancelled().settled()
    assert "nothing seen" in row(wire(told, told.zero), 2)
    assert "×" in row(wire(told, told.zero), 2)


def test_the_evidence_of_the_menu_and_of_the_row_are_the_same_fault() -> None:
    told = frozen(-100_000)
    (fault,) = view(told.events, told.zero).run.lanes[0].faults
    assert menu(structs.replace(lane("grpc"), faults=(fault,)), 0).standing == {"freeze"}
