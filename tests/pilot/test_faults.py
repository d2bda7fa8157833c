"""The menu of faults: every key in it, and what the lab is asked for."""

from __future__ import annotations

import pytest

from app import commands
from app.screens.faults import FaultsScreen
from app.screens.live import LiveScreen
from probes import events as ev
from probes.events import TO_CLIENT, FaultPlan
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.pilot.conftest import Console, Open

ZERO = Told().zero
POSTGRES = ("down", "down", "down")


async def opened(it: Console, *keys: str) -> FaultsScreen:
    await it.say(kit.running(), ZERO)
    await it.press(*keys, "f")
    assert isinstance(it.app.screen, FaultsScreen)
    return it.app.screen


@pytest.mark.parametrize(
    ("letter", "fault"),
    [
        ("f", FaultPlan(kind="freeze")),
        ("b", FaultPlan(kind="black-hole")),
        ("s", FaultPlan(kind="slow", rate=1024)),
        ("l", FaultPlan(kind="lose-cancel")),
        ("d", FaultPlan(kind="delay-cancel", seconds=0.5)),
        ("r", FaultPlan(kind="cut", how="RST")),
        ("n", FaultPlan(kind="cut", how="FIN")),
    ],
)
async def test_a_letter_does_it_at_once_on_the_selected_lane(console: Open, letter: str, fault: FaultPlan) -> None:
    async with console() as it:
        await opened(it, *POSTGRES)
        await it.press(letter)
        assert it.handle.sent == [commands.Fault(lane="postgres", fault=fault)]
        assert isinstance(it.app.screen, LiveScreen)


async def test_thaw_clears_the_lane(console: Open) -> None:
    async with console() as it:
        await opened(it, "down")
        await it.press("t")
        assert it.handle.sent == [commands.Clear(lane="http/1.1")]


async def test_arrows_choose_fault_and_direction_and_enter_does_it(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("down", "down", "up", "down", "right", "right", "right", "left", "enter")
        assert it.handle.sent == [commands.Fault(lane="grpc", fault=FaultPlan(kind="black-hole", direction=TO_CLIENT))]


async def test_letters_that_another_protocol_has_do_nothing(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("l", "d", "c", "1")
        assert it.handle.sent == []
        assert isinstance(it.app.screen, FaultsScreen)


async def test_escape_leaves_the_connections_as_they_are(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("escape")
        assert it.handle.sent == []
        assert isinstance(it.app.screen, LiveScreen)


async def test_what_stands_is_seen_in_the_row_and_in_the_menu(console: Open) -> None:
    async with console() as it:
        told = Told()
        await it.say(kit.running(), ZERO)
        await it.say(told.at(ev.FaultStarted, -50_000, "grpc", layer="wire", fault="freeze").events)
        assert "× freeze" in it.text("timeline")
        await it.press("f")
        assert "freeze stands" in it.board()


async def test_without_an_open_run_there_is_nothing_to_disturb(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("f")
        assert isinstance(it.app.screen, LiveScreen)
        assert "f faults" not in it.text("keys")


async def test_it_fits_the_smallest_screen(console: Open) -> None:
    async with console(size=(80, 24)) as it:
        await opened(it, *POSTGRES)
        board = it.app.screen.query_one("#board")
        assert board.region.right <= 80
        assert board.region.bottom <= 24
        assert "n   cut by FIN" in it.board()
