"""The lane panel: every key in it, and what the next run is afterwards."""

from __future__ import annotations

import pytest

from app import commands
from app.laneform import Form
from app.screens.lanes import LanesScreen
from app.screens.live import LiveScreen
from app.screens.timeouts import Field
from probes.events import LanePlan
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.pilot.conftest import Console, Open

ZERO = Told().zero


def panel(it: Console) -> LanesScreen:
    assert isinstance(it.app.screen, LanesScreen)
    return it.app.screen


def form(it: Console) -> Form:
    return panel(it).form


async def opened(it: Console) -> None:
    await it.say(kit.ready())
    await it.press("x")


async def started(it: Console) -> tuple[LanePlan, ...]:
    """The lanes of the run that enter fires."""
    await it.press("enter")
    start = it.handle.sent[-1]
    assert isinstance(start, commands.Start)
    return start.lanes


async def test_it_opens_at_the_selected_lane_with_its_values(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("down", "down", "x")
        assert form(it).names[form(it).lane] == "http/2"
        assert "phase         ◂ response body ▸" in it.board()


async def test_another_cause_brings_its_timeout_and_is_in_the_next_start(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("down")
        while form(it).row.value != "deadline":
            await it.press("right")
        assert "400ms" in it.board()
        await it.press("a")
        assert isinstance(it.app.screen, LiveScreen)
        assert "One scope, four lanes, changed" in it.text("status")
        lanes = await started(it)
        assert (lanes[0].cause, lanes[0].timeouts) == ("deadline", {"deadline": 0.4})
        assert lanes[1:] == kit.settings().lanes[1:]


async def test_what_cannot_be_is_said_and_is_not_applied(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("tab", "left", "left", "left", "left", "left", "left", "left")
        while form(it).row.value != "idle":
            await it.press("right")
        why = "task.cancel cannot come in the phase 'idle': no call is open: there is no task to cancel"
        assert panel(it).problem == f"http/1.1: cause: {why}"
        assert f"http/1.1: cause: {why}" in it.board()
        await it.press("a")
        assert isinstance(it.app.screen, LanesScreen)
        await it.press("down")
        while form(it).row.value != "server FIN":
            await it.press("left")
        assert panel(it).problem == ""
        await it.press("a")
        assert it.app.scope.live.settings.lanes[1].cause == "server FIN"


async def test_a_value_is_typed_taken_and_dropped(console: Open) -> None:
    async with console() as it:
        await opened(it)
        while form(it).row.label != "delay":
            await it.press("down")
        await it.press("7", "0", "backspace", "m", "s")
        assert form(it).typed == "7ms"
        await it.press("right", "escape")
        assert isinstance(it.app.screen, LanesScreen)
        assert "delay" not in form(it).table
        await it.press("enter", "5", "m", "s", "enter")
        assert form(it).table["delay"] == "5ms"
        await it.press("up", "up", "down", "pageup")
        assert form(it).row.label == "lane"
        await it.press("enter", "a", "n", "d", "enter")
        assert form(it).names[0] == "and"
        await it.press("pagedown", "a")
        assert it.app.scope.live.settings.lanes[0].lane == "and"


async def test_a_digit_is_no_value_where_nothing_is_counted(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("3")
        assert form(it).typed is None
        assert it.handle.sent == []


async def test_lanes_are_added_removed_and_reset(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("n")
        assert form(it).names == ["grpc", "http/1.1", "http/2", "postgres", "grpc 2"]
        await it.press("shift+tab", "d")
        assert form(it).names == ["grpc", "http/1.1", "http/2", "grpc 2"]
        await it.press("ctrl+r")
        assert form(it).names == list(kit.LANES)
        await it.press("delete", "tab", "a")
        assert [plan.lane for plan in await started(it)] == ["grpc", "http/1.1", "http/2"]


async def test_the_keys_that_cancel_are_those_of_the_new_lanes(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("n", "a")
        lanes = await started(it)
        told = Told().fired(it.app.scope.live.settings)
        await it.say(told.events, told.zero)
        await it.press("5")
        cancel = it.handle.sent[-1]
        assert isinstance(cancel, commands.Cancel)
        assert cancel.lane == lanes[4].lane == "grpc 2"


async def test_reset_goes_back_to_the_scenario_also_after_applying(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("d", "a", "x", "ctrl+r", "a")
        assert it.app.scope.live.settings.lanes == kit.settings().lanes
        assert it.app.scope.live.settings.title == "One scope, four lanes"


async def test_the_timeouts_are_those_of_the_new_lanes(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("d", "d", "d", "a", "t")
        assert [field.lane for field in it.app.screen.query(Field)][0::4] == ["", "postgres"]
        await it.press("ctrl+r", "enter")
        assert isinstance(it.app.screen, LiveScreen)


async def test_escape_and_applying_nothing_leave_everything_as_it_was(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("x", "right", "escape")
        assert it.app.scope.live.settings == kit.settings()
        await it.press("x", "a")
        assert it.app.scope.live.settings == kit.settings()
        assert "zombie" in it.text("timeline")


async def test_while_a_run_is_open_no_lane_is_changed(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("x")
        assert isinstance(it.app.screen, LiveScreen)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (200, 60)])
async def test_it_fits(console: Open, size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        await opened(it)
        board = it.app.screen.query_one("#board")
        assert board.region.right <= size[0]
        assert board.region.bottom <= size[1]
        assert "a apply" in it.board()
