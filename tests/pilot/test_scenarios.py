"""The list of scenarios: every key in it, and what the next run is afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from app import commands
from app.chooser import Item
from app.screens.live import LiveScreen
from app.screens.scenarios import ScenariosScreen
from app.screens.timeouts import Field
from probes.events import ScenarioLoaded
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.pilot.conftest import Console, Open

ZERO = Told().zero


def shipped(name: str) -> str:
    return (kit.SCENARIOS / f"{name}.toml").read_text(encoding="utf-8")


def dialog(it: Console) -> ScenariosScreen:
    assert isinstance(it.app.screen, ScenariosScreen)
    return it.app.screen


def chosen(it: Console) -> Item:
    item = dialog(it).state.item
    assert item is not None
    return item


async def opened(it: Console) -> None:
    it.app.scope.library = kit.library()
    await it.say(kit.ready())
    await it.press("s")


async def test_it_opens_at_the_one_that_is_loaded(console: Open) -> None:
    async with console(plan=kit.library().loaded[1].settings) as it:
        await opened(it)
        assert chosen(it).name == "deadline"
        assert "A deadline in mid-stream" in it.board()


async def test_the_chosen_one_is_the_next_run_and_the_title_follows(console: Open) -> None:
    async with console() as it:
        it.app.scope.library = kit.library()
        await it.say(kit.settled(), ZERO)
        await it.press("s")
        for key in "shield lose":
            await it.pilot.press("space" if key == " " else key)
        assert chosen(it).name == "four-lanes"
        title = chosen(it).title
        await it.press("enter")
        assert isinstance(it.app.screen, LiveScreen)
        assert title in it.text("status")
        assert title in it.text("timeline")
        assert "slow-cleanup:0.3" in it.text("timeline")
        await it.press("enter")
        (start,) = it.handle.sent
        assert isinstance(start, commands.Start)
        assert (start.run, start.scenario) == (2, "four-lanes")
        assert it.handle.started == 1


async def test_the_run_before_is_seen_no_more_until_the_next_is_there(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await load(it, "four-lanes")
        assert "zombie" not in it.text("timeline")
        assert "run 1" not in it.text("status")
        await it.press("enter")
        second = Told(2, ZERO + 10 * kit.SECOND)
        await it.say(second.fired(it.app.scope.live.settings).events, second.zero)
        assert "run 2" in it.text("status")
        assert "armed" in it.text("timeline")


async def load(it: Console, name: str) -> None:
    it.app.scope.library = kit.library()
    await it.press("s")
    dialog(it)._show(dialog(it).state.at(name))
    await it.press("enter")


async def test_its_text_goes_into_the_recording(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await load(it, "silent")
        text = shipped("silent")
        assert it.handle.told == {"silent": text}
        told = Told().emit(ScenarioLoaded, ZERO, name="silent", text=text)
        await it.say(told.events)
        await it.press("L")
        assert "silent is loaded" in it.board()


async def test_the_timeouts_are_reset_to_the_scenario_that_is_loaded(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await load(it, "deadline")
        await it.press("t")
        before = [field.value for field in it.app.screen.query(Field)]
        assert before[0] != "none"
        it.app.screen.query(Field).first().value = "9s"
        await it.press("ctrl+r")
        assert [field.value for field in it.app.screen.query(Field)] == before


async def test_arrows_pages_and_ends(console: Open) -> None:
    async with console(size=(80, 24)) as it:
        await opened(it)
        count = len(dialog(it).state.items)
        await it.press("home")
        assert dialog(it).state.index == 0
        await it.press("down", "down", "up")
        assert dialog(it).state.index == 1
        await it.press("end")
        assert dialog(it).state.index == count - 1
        await it.press("pageup")
        assert dialog(it).state.index == 0
        await it.press("pagedown")
        assert dialog(it).state.index == count - 1


async def test_backspace_and_ctrl_u_take_back_what_was_typed(console: Open) -> None:
    async with console() as it:
        await opened(it)
        await it.press("g", "r", "p", "c", "z")
        assert dialog(it).state.items == ()
        await it.press("enter")
        assert isinstance(it.app.screen, ScenariosScreen)
        await it.press("backspace")
        assert [item.name for item in dialog(it).state.items] == ["four-lanes", "deadline"]
        await it.press("ctrl+u")
        assert len(dialog(it).state.items) == dialog(it).state.known


async def test_a_file_of_ones_own_by_its_path(console: Open, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(shipped("silent"), encoding="utf-8")
    async with console() as it:
        await opened(it)
        it.app.post_message(events.Paste(f"{own}\n"))
        await it.frame()
        await it.press("enter")
        assert it.app.scope.live.settings.scenario == "mine"


async def test_one_that_cannot_be_loaded_says_why_and_is_not_loaded(console: Open, tmp_path: Path) -> None:
    own = tmp_path / "bad.toml"
    own.write_text("title = 3\n", encoding="utf-8")
    async with console(size=(80, 24)) as it:
        await opened(it)
        it.app.post_message(events.Paste(str(own)))
        await it.frame()
        assert ":1: title: input should be a valid string, not 3" in chosen(it).problem
        assert "".join(chosen(it).problem.split()) in "".join(it.board().replace("│", " ").split())
        await it.press("enter")
        assert isinstance(it.app.screen, ScenariosScreen)
        await it.press("escape")
        assert it.app.scope.live.settings == kit.settings()


async def test_escape_leaves_everything_as_it_was(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("s", "down", "escape")
        assert isinstance(it.app.screen, LiveScreen)
        assert it.app.scope.live.settings == kit.settings()
        assert it.handle.told == {}
        assert "zombie" in it.text("timeline")


async def test_while_a_run_is_open_nothing_is_chosen(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("s")
        assert isinstance(it.app.screen, LiveScreen)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (200, 60)])
async def test_it_fits(console: Open, size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        await opened(it)
        board = it.app.screen.query_one("#board")
        assert board.region.right <= size[0]
        assert board.region.bottom <= size[1]
        assert "esc leave" in it.board()
