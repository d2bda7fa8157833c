"""Few pictures of the whole screen, for what no assertion on cells can judge.

``pytest --snapshot-update`` renews them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from app.console import CancelloscopeApp, ConsoleApp, ReplayApp
from app.settings import RunSettings
from probes.events import Event, FaultPlan
from probes.replay import Player
from tests.kit import console_kit as kit
from tests.kit.console_kit import ManualClock, RecordingHandle, Told

Compare = Callable[..., bool]


def live(plan: RunSettings | None = None) -> CancelloscopeApp:
    return CancelloscopeApp(RecordingHandle, plan or kit.settings(), clock=ManualClock(Told().zero), ticker=False)


def disturbed() -> RunSettings:
    """So much in the last lane that its options, which become more, are out of sight."""
    plan = kit.settings()
    faults = tuple(
        FaultPlan(kind=kind, at="phase", rate=1024 * (kind == "slow")) for kind in ("freeze", "slow", "hold")
    )
    last = replace(plan.lanes[-1], middleware=("pass", "add-timeout:250ms", "shield"), faults=faults)
    return replace(plan, lanes=(*plan.lanes[:-1], last))


async def settled(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, CancelloscopeApp)
    await pilot.pause()
    app.on_events(list(kit.settled()))
    await pilot.press("down", "down")
    app.scope.draw()
    await pilot.pause()


async def in_the_middle(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await pilot.press(*["right_square_bracket"] * 9)
    app.scope.draw()  # type: ignore[attr-defined]
    await pilot.pause()


async def looking_at_the_machine(pilot: Pilot[None]) -> None:
    """In slow motion, one step after the client of http/2 was told."""
    app = pilot.app
    assert isinstance(app, CancelloscopeApp)
    await pilot.pause()
    app.on_events(list(kit.settled()))
    await pilot.press("down", "down", "M", "z", "space", *["right_square_bracket"] * 3)
    await pilot.pause()
    app.screen.draw()  # type: ignore[attr-defined]
    await pilot.pause()


async def choosing(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, CancelloscopeApp)
    await pilot.pause()
    app.scope.library = kit.library()
    app.on_events(list(kit.ready()))
    await pilot.press("s", "down", "down")
    await pilot.pause()


async def changing_a_lane(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, CancelloscopeApp)
    await pilot.pause()
    app.on_events(list(kit.ready()))
    await pilot.press("x", "shift+tab", "n", "down", "right", "right", "up", *["left"] * 4)
    await pilot.pause()


async def looking_at_the_grid(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, CancelloscopeApp)
    await pilot.pause()
    app.scope.library = kit.library()
    app.on_events(list(kit.settled()))
    await pilot.press("g", "tab", "right", "up", "down", "down")
    await pilot.pause()


async def asking_why(pilot: Pilot[None]) -> None:
    """A linear axis, two cursors, and the thread from the first of them."""
    await settled(pilot)
    await pilot.press("l", *["right_square_bracket"] * 12, "v", *["right_square_bracket"] * 6, "w", "plus")
    app = pilot.app
    assert isinstance(app, CancelloscopeApp)
    app.scope.draw()
    await pilot.pause()


def test_cursors_and_a_thread(snap_compare: Compare) -> None:
    assert snap_compare(live(), run_before=asking_why, terminal_size=(100, 30))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
def test_a_settled_run(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(live(), run_before=settled, terminal_size=size)


def test_a_replay_in_the_middle(snap_compare: Compare) -> None:
    app = ReplayApp(Player(kit.settled()), Path("session.jsonl"), clock=ManualClock(0), ticker=False)
    assert snap_compare(app, run_before=in_the_middle, terminal_size=(100, 30))


def test_the_machine_in_slow_motion(snap_compare: Compare) -> None:
    assert snap_compare(live(), run_before=looking_at_the_machine, terminal_size=(120, 36))


def test_the_list_of_scenarios(snap_compare: Compare) -> None:
    assert snap_compare(live(), run_before=choosing, terminal_size=(120, 36))


def test_the_panel_of_lanes(snap_compare: Compare) -> None:
    assert snap_compare(live(disturbed()), run_before=changing_a_lane, terminal_size=(120, 36))


def test_the_grid(snap_compare: Compare) -> None:
    assert snap_compare(live(), run_before=looking_at_the_grid, terminal_size=(120, 36))


def at(events: Callable[[], Sequence[Event]], *keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    """What to do first: these events have come, and then these keys were pressed."""

    async def prepare(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, CancelloscopeApp)
        await pilot.pause()
        app.scope.library = kit.library()
        app.on_events(list(events()))
        app.scope.draw()
        await pilot.press(*keys)
        await pilot.pause()

    return prepare


SMALL = {
    "starting": at(lambda: Told().starting("servers").events),
    "armed": at(kit.running),
    "log": at(kit.settled, "L"),
    "chooser": at(kit.ready, "s"),
    "faults": at(kit.running, "f", "down"),
}
"""Where there is least room: a picture each of what else people stand before."""


@pytest.mark.parametrize("state", SMALL)
def test_a_small_terminal(snap_compare: Compare, state: str) -> None:
    assert snap_compare(live(), run_before=SMALL[state], terminal_size=(80, 24))
