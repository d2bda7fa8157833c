"""asyncpg's timers and the server's: ``timeout`` is given to the call and takes the place of ``command_timeout``;
``statement_timeout`` is PostgreSQL's own, from the statement's first message on."""

from __future__ import annotations

import math
from typing import NamedTuple

from probes.events import LanePlan
from probes.forecast.window import (
    FOREVER,
    SOON,
    SOON_S,
    Timer,
    Window,
    about,
    disturbed_end,
    disturbing,
    handed_on,
    held,
    over,
)
from probes.units import seconds_text

_CONNECTING = ("TCP connect", "startup")
_ONE_STATEMENT = frozenset({"timeout", "command_timeout", "statement_timeout", "pg_cancel_backend"})
_BATCH = 10
_UNKNOWN = Window(0.0, math.inf)


class Command(NamedTuple):
    """What the client waits for, and the server works at: how long one of them is, and in words."""

    length: Window
    what: str
    each: bool = False
    """One of many: the timers are set anew for each."""


def timers(plan: LanePlan) -> list[Timer]:
    """Those that are set, as they come to bear on the call of this phase."""
    command = _command(plan)
    bound = plan.timeouts.get("close")
    why = "close bounds connection.close() and nothing else"
    closing = [] if bound is None else [Timer("close", bound, None, why, covers=False)]
    return closing + [
        each
        for name, make in (("timeout", _timeout), ("command_timeout", _command_timeout), ("statement_timeout", _server))
        if (seconds := plan.timeouts.get(name)) is not None
        for each in (make(plan, seconds, command),)
    ]


def end(plan: LanePlan) -> Window:
    return disturbed_end(plan, _end(plan))


def by_cursor(plan: LanePlan) -> bool:
    """Whether rows that stream are fetched one by one."""
    asked = plan.options.get("fetch") or ("all" if plan.cause in _ONE_STATEMENT else "cursor")
    return plan.phase == "rows streaming" and asked == "cursor"


def _timeout(plan: LanePlan, seconds: float, command: Command | None) -> Timer:
    if not handed_on(plan):
        return Timer("timeout", seconds, None, "a link of the middleware does not hand the timeout on")
    if plan.phase in _CONNECTING or plan.phase == "pool acquire":
        length = held(plan.delay) if plan.phase == "startup" else FOREVER
        return Timer("timeout", seconds, over(seconds, length), f"timeout covers the whole {plan.phase}")
    if plan.phase == "cursor":
        return Timer("timeout", seconds, None, "timeout is given to no fetch of the cursor")
    return _clients("timeout", plan, seconds, command)


def _command_timeout(plan: LanePlan, seconds: float, command: Command | None) -> Timer:
    name = "command_timeout"
    if plan.phase in _CONNECTING or plan.phase == "pool acquire":
        return Timer(name, seconds, None, "command_timeout does not cover connecting or waiting for the pool")
    if plan.timeouts.get("timeout") is not None and handed_on(plan) and plan.phase != "cursor":
        return Timer(name, seconds, None, "the call's own timeout takes the place of command_timeout")
    return _clients(name, plan, seconds, command)


def _clients(name: str, plan: LanePlan, seconds: float, command: Command | None) -> Timer:
    if command is None:
        return Timer(name, seconds, None, f"no command is waited for: {name} does not run")
    window = over(seconds, _drawn_out(plan, command), SOON)
    return Timer(name, seconds, window, _why(name, command, window))


def _server(plan: LanePlan, seconds: float, command: Command | None) -> Timer:
    name = "statement_timeout"
    if command is None:
        return Timer(name, seconds, None, "no statement executes: the server's timer does not run")
    window = over(seconds, command.length, SOON)
    if window is not None and disturbing(plan):
        window = Window(window.soonest, math.inf)
    if window is not None and plan.phase == "COPY in":
        # asyncpg is deaf to the server while its source has the next line pending.
        window = Window(window.soonest, window.latest + plan.interval + SOON_S)
    return Timer(name, seconds, window, _why(name, command, window))


def _drawn_out(plan: LanePlan, command: Command) -> Window:
    if not disturbing(plan):
        return command.length
    return Window(0.0 if command.each else command.length.soonest, math.inf)


def _why(name: str, command: Command, window: Window | None) -> str:
    if window is not None:
        return f"{name} counts from the start of {command.what}"
    return f"{name} is set anew for {command.what}" if command.each else f"{command.what} is over before"


def _command(plan: LanePlan) -> Command | None:
    match plan.phase:
        case "statement executing" | "transaction":
            if plan.options.get("statement") == "executemany":
                return Command(_UNKNOWN, "executemany, whose time nobody can tell")
            return Command(about(plan.delay), "the statement")
        case "rows streaming":
            if by_cursor(plan):
                return Command(_gap(plan, 1), f"each fetch, every {seconds_text(plan.interval)}", each=True)
            return Command(_all(plan), "the one statement that brings all rows")
        case "cursor":
            return Command(_gap(plan, _BATCH), f"each fetch of {_BATCH} rows", each=True)
        case "COPY out" | "COPY in":
            return Command(_all(plan), "the whole COPY")
    return None


def _gap(plan: LanePlan, rows: int) -> Window:
    return about(plan.interval * rows, SOON_S)


def _all(plan: LanePlan) -> Window:
    if not plan.interval:
        return _UNKNOWN
    return about(max(0, plan.chunks - 1) * plan.interval, 1.0 + plan.interval)


def _end(plan: LanePlan) -> Window:
    if plan.phase in ("TCP connect", "pool acquire", "LISTEN"):
        return FOREVER
    if plan.phase == "startup":
        return held(plan.delay)
    if plan.phase == "cursor":
        batches = -(-plan.chunks // _BATCH)
        return Window(batches * plan.delay, about(batches * (plan.delay + _BATCH * plan.interval), 1.0).latest)
    command = _command(plan)
    if command is None:
        return _UNKNOWN
    return _all(plan) if command.each else command.length
