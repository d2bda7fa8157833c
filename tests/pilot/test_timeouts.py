"""The dialog for timeouts: typed, stepped, checked, reset, and in force for the next run."""

from __future__ import annotations

from typing import TypeVar

from textual.widget import Widget
from textual.widgets import Label

from app import commands
from app.screens.live import LiveScreen
from app.screens.timeouts import Field, TimeoutsScreen
from probes import catalogue
from tests.kit import console_kit as kit
from tests.pilot.conftest import Console, Open

W = TypeVar("W", bound=Widget)


def field(it: Console, lane: str, name: str) -> Field:
    return next(each for each in it.app.screen.query(Field) if (each.lane, each.timeout) == (lane, name))


async def type_in(it: Console, lane: str, name: str, text: str) -> None:
    target = field(it, lane, name)
    target.focus()
    await it.pilot.pause()
    target.value = ""
    await it.pilot.press(*text)


def problem(it: Console) -> str:
    """What stands below the fields: what is wrong, or else what will come of them."""
    return str(it.app.screen.query_one("#problem", Label).render()).strip()


def effect(it: Console, lane: str, name: str) -> str:
    return str(field(it, lane, name).effect.render()).strip()


async def opened(it: Console) -> None:
    await it.say(kit.ready())
    await it.press("t")
    assert isinstance(it.app.screen, TimeoutsScreen)


async def test_every_timeout_of_every_lane_and_the_scopes_is_there(console: Open) -> None:
    async with console() as it:
        await opened(it)
        fields = [(each.lane, each.timeout, each.value) for each in it.app.screen.query(Field)]
        assert len(fields) == 1 + sum(len(catalogue.TIMEOUTS[name]) for name in catalogue.PROTOCOLS)
        assert fields[0] == ("", "deadline", "none")
        assert ("http/1.1", "read", "2s") in fields


async def test_what_was_typed_is_in_the_next_start(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await type_in(it, "http/2", "read", "250ms")
        await type_in(it, "", "deadline", "1.5s")
        await type_in(it, "http/1.1", "read", "none")
        await it.press("enter")
        assert isinstance(it.app.screen, LiveScreen)
        assert "250 ms" in it.text("timeouts")
        await it.press("enter")
        (start,) = it.handle.sent
        assert isinstance(start, commands.Start)
        assert start.deadline == 1.5
        assert [plan.timeouts.get("read") for plan in start.lanes] == [None, None, 0.25, None]


async def test_a_wrong_time_is_said_in_one_line_and_not_applied(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await type_in(it, "grpc", "deadline", "250")
        assert problem(it) == 'grpc deadline: \'250\' has no unit: write "250ms" or "250s"'
        await it.press("enter")
        assert isinstance(it.app.screen, TimeoutsScreen)
        await type_in(it, "grpc", "deadline", "250ms")
        assert problem(it).startswith("grpc: deadline 250 ms: the deadline is for the whole call")
        await it.press("enter")
        assert it.app.scope.live.settings.lanes[0].timeouts.get("deadline") == 0.25


async def test_plus_and_minus_go_in_steps(console: Open) -> None:
    async with console() as it:
        await opened(it)
        field(it, "http/1.1", "connect").focus()
        await it.pilot.press("plus")
        assert field(it, "http/1.1", "connect").value == "1s"
        await it.pilot.press("minus", "minus")
        assert field(it, "http/1.1", "connect").value == "200ms"


async def test_left_and_right_go_in_the_same_steps_and_delete_takes_one_back(console: Open) -> None:
    async with console() as it:
        await opened(it)
        field(it, "http/1.1", "connect").focus()
        await it.pilot.press("right", "right", "left")
        assert field(it, "http/1.1", "connect").value == "1s"
        await it.pilot.press("delete")
        assert field(it, "http/1.1", "connect").value == "500ms"


async def test_presets_are_chosen_with_page_up_and_page_down(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.pilot.press("pagedown", "pagedown")
        assert field(it, "http/2", "pool").value == "5s"
        assert "library defaults" in str(it.app.screen.query_one("#form").border_title)
        await it.pilot.press("pageup")
        assert field(it, "http/2", "read").value == "none"
        await it.pilot.press("pageup")
        assert field(it, "http/2", "read").value == "2s"
        await it.pilot.press("pageup", "enter")
        plans = it.app.scope.live.settings.lanes
        assert {plan.timeouts["asyncio.timeout"] for plan in plans} == {0.5}


async def test_what_each_timer_will_do_stands_beside_it(console: Open) -> None:
    async with console() as it:
        await opened(it)
        assert effect(it, "http/1.1", "read") == "never fires"
        await type_in(it, "grpc", "deadline", "300ms")
        assert effect(it, "grpc", "deadline") == "◆ ends it at 300 ms"
        await type_in(it, "", "deadline", "1s")
        assert effect(it, "", "deadline") == "◆ ends it at 1 s, in 3 of 4 lanes"
        assert problem(it) == "first: grpc deadline at 300 ms"
        field(it, "http/2", "read").focus()
        await it.pilot.pause()
        assert "read never fires: read is set anew for the next chunk, every 20ms" in problem(it)


async def test_the_arrow_keys_go_from_one_to_the_next(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.pilot.press("down", "down")
        assert it.app.focused is field(it, "grpc", "asyncio.timeout")
        await it.pilot.press("up")
        assert it.app.focused is field(it, "grpc", "deadline")


async def test_reset_goes_back_to_the_scenario(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await type_in(it, "http/2", "read", "9s")
        await it.press("enter", "t")
        assert field(it, "http/2", "read").value == "9s"
        await it.pilot.press("ctrl+r")
        assert field(it, "http/2", "read").value == "2s"
        await it.press("enter")
        assert [(lane, name, value) for lane, name, value in it.app.scope.live.settings.timeouts() if value] == [
            (lane, name, value) for lane, name, value in kit.settings().timeouts() if value
        ]


async def test_escape_leaves_everything_as_it_was(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await type_in(it, "http/2", "read", "9s")
        await it.press("escape")
        assert it.app.scope.live.settings == kit.settings()


async def test_it_fits_the_smallest_screen(console: Open) -> None:
    async with console(size=(80, 24)) as it:
        await opened(it)
        form = it.app.screen.query_one("#form")
        assert form.region.bottom <= 24
        assert form.max_scroll_y == 0
