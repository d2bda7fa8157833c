"""Which timer ends a call: by phase, behaviour of the clients' timers, delays, intervals, faults and links."""

from __future__ import annotations

from typing import Any

import pytest

from app.library import Library
from probes import events as ev
from probes.catalogue import TIMERS
from probes.events import CALLED_BY, FaultPlan, LanePlan
from probes.fold import fold
from probes.forecast import SHARED, Kind, Truth, forecast, of_run, truth
from probes.state import RunState
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told

NOBODY, UNKNOWN, ITSELF = Kind.NOBODY.value, Kind.UNKNOWN.value, Kind.ITSELF.value
PAUSED = {"interval": 0.02, "chunks": 1000}
SHORT_STREAM = {"interval": 0.02, "chunks": 10}
SILENT = FaultPlan(kind="black-hole", at="phase")


def said(protocol: str, phase: str, timeouts: dict[str, float | None], **fields: Any) -> str:
    """The timer, or else the kind."""
    shared = fields.pop("shared", None)
    found = forecast(LanePlan(lane="a", protocol=protocol, phase=phase, timeouts=timeouts, **fields), shared)
    return found.timer or found.kind.value


HTTP = [
    # Drips faster than the timer: each read is over before, and httpx has no limit for the whole.
    ("response body", {"read": 0.4}, PAUSED, NOBODY),
    ("response body", {"read": 0.4, "asyncio.timeout": 1.0}, PAUSED, "asyncio.timeout"),
    ("response body", {"read": 0.4}, {"interval": 30.0}, "read"),
    ("response body", {"read": 0.4}, {"interval": 0.4}, UNKNOWN),
    ("response body", {"read": 0.4}, {"delay": 5.0}, "read"),
    ("response body", {"asyncio.timeout": 1.0}, SHORT_STREAM, UNKNOWN),
    ("response body", {"asyncio.timeout": 2.0}, SHORT_STREAM, NOBODY),
    ("response headers", {"read": 0.4}, {"delay": 30.0}, "read"),
    ("response headers", {"read": 0.4, "connect": 0.1, "write": 0.1, "pool": 0.1}, {"delay": 30.0}, "read"),
    ("response headers", {"read": 0.4}, {"delay": 30.0, "shared": 0.2}, SHARED),
    ("response headers", {"read": 0.4}, {"delay": 30.0, "shared": 0.45}, UNKNOWN),
    ("response headers", {"read": 0.4}, {"delay": 0.1}, NOBODY),
    ("response headers", {"read": 0.4}, {"delay": 30.0, "options": {"sibling": "before"}}, UNKNOWN),
    ("response headers", {"read": 0.4}, {"delay": 30.0, "options": {"cancel_at": "start_tls.complete"}}, ITSELF),
    ("response headers", {"read": 90.0}, {"delay": 300.0}, NOBODY),
    ("DNS", {"connect": 0.4, "read": 0.1}, {}, "connect"),
    ("TCP connect", {"connect": 0.4, "pool": 0.1}, {}, "connect"),
    ("TLS handshake", {"connect": 0.4}, {"tls": True}, "connect"),
    ("pool wait", {"connect": 0.1, "pool": 0.4}, {}, "pool"),
    ("pool wait", {"pool": 0.4}, {"delay": 0.1}, NOBODY),
    ("request body", {"write": 0.1, "read": 0.1}, PAUSED, NOBODY),
    ("request body", {"write": 0.4}, {"cause": "write timeout"}, "write"),
    ("response headers", {"read": 0.4}, {"delay": 30.0, "middleware": ("drop-deadline",)}, NOBODY),
    ("response headers", {"asyncio.timeout": 0.4}, {"delay": 30.0, "middleware": ("swallow",)}, UNKNOWN),
    ("response headers", {"read": 0.4}, {"delay": 30.0, "middleware": ("add-timeout:100ms",)}, "add-timeout:100ms"),
    ("idle", {"read": 0.1, "connect": 0.1}, {}, NOBODY),
    ("idle", {}, {"shared": 0.4}, SHARED),
    ("response body", {"read": 0.4}, {**PAUSED, "faults": (SILENT,)}, "read"),
    ("response body", {"read": 0.4}, {**PAUSED, "faults": (FaultPlan(kind="slow", rate=1),)}, UNKNOWN),
    ("response body", {"read": 0.4}, {**PAUSED, "faults": (FaultPlan(kind="cut", how="RST"),)}, UNKNOWN),
]


@pytest.mark.parametrize(("phase", "timeouts", "fields", "want"), HTTP)
def test_httpx(phase: str, timeouts: dict[str, float | None], fields: dict[str, Any], want: str) -> None:
    assert said("http/1.1", phase, timeouts, **fields) == want


def test_an_upload_over_http2_waits_for_its_window_by_reading() -> None:
    both: dict[str, float | None] = {"read": 0.4, "write": 0.1}
    assert said("http/2", "request body", both, options={"upload": "window"}) == "read"
    assert said("http/1.1", "request body", both, options={"upload": "window"}) == "write"


GRPC = [
    ("mid-stream", {"deadline": 0.4}, PAUSED, "deadline"),
    ("mid-stream", {"deadline": 0.4}, {**PAUSED, "shared": 0.2}, SHARED),
    ("mid-stream", {"deadline": 0.4, "asyncio.timeout": 0.2}, PAUSED, "asyncio.timeout"),
    ("mid-stream", {"deadline": 0.4, "asyncio.timeout": 0.402}, PAUSED, UNKNOWN),
    ("mid-stream", {}, PAUSED, NOBODY),
    ("mid-stream", {"deadline": 0.4}, SHORT_STREAM, UNKNOWN),
    ("mid-stream", {"deadline": 0.4}, {**PAUSED, "middleware": ("drop-deadline",)}, NOBODY),
    ("mid-stream", {"deadline": 0.4}, {**PAUSED, "middleware": ("add-timeout:100ms",)}, "add-timeout:100ms"),
    ("mid-stream", {"deadline": 0.4}, {**PAUSED, "options": {"pause": True}}, UNKNOWN),
    ("mid-stream", {"deadline": 0.4}, {**PAUSED, "faults": (SILENT,)}, "deadline"),
    ("first response", {"deadline": 0.4}, {"delay": 30.0, "shape": "unary"}, "deadline"),
    ("first response", {"deadline": 0.4}, {"delay": 0.05, "shape": "unary"}, NOBODY),
    ("connecting", {"deadline": 0.4}, {"options": {"target": "stalled"}}, "deadline"),
    ("connecting", {"deadline": 1.2}, {"options": {"target": "dead"}}, NOBODY),
    ("connecting", {"deadline": 5.0}, {"options": {"target": "dead", "wait_for_ready": True}}, "deadline"),
]


@pytest.mark.parametrize(("phase", "timeouts", "fields", "want"), GRPC)
def test_grpc(phase: str, timeouts: dict[str, float | None], fields: dict[str, Any], want: str) -> None:
    assert said("grpc", phase, timeouts, **fields) == want


POSTGRES = [
    ("statement executing", {"command_timeout": 0.4}, {"delay": 60.0}, "command_timeout"),
    # The call's own takes the place of the pool's, even where it is longer.
    ("statement executing", {"timeout": 0.8, "command_timeout": 0.4}, {"delay": 60.0}, "timeout"),
    ("statement executing", {"timeout": 0.8, "command_timeout": 0.4, "statement_timeout": 0.2}, {"delay": 60.0}, "?"),
    ("statement executing", {"command_timeout": 0.4, "statement_timeout": 0.4}, {"delay": 60.0}, UNKNOWN),
    ("statement executing", {"command_timeout": 0.4}, {"delay": 0.1}, NOBODY),
    ("statement executing", {"command_timeout": 0.4}, {"options": {"statement": "executemany"}}, UNKNOWN),
    ("transaction", {"statement_timeout": 0.4}, {"delay": 60.0}, "statement_timeout"),
    ("rows streaming", {"command_timeout": 0.4}, {**PAUSED, "options": {"fetch": "cursor"}}, NOBODY),
    ("rows streaming", {"command_timeout": 0.4}, {**PAUSED, "options": {"fetch": "all"}}, "command_timeout"),
    ("cursor", {"timeout": 0.1, "command_timeout": 1.0}, {**PAUSED, "delay": 30.0}, NOBODY),
    ("cursor", {"command_timeout": 0.1}, {**PAUSED, "delay": 30.0}, "command_timeout"),
    ("pool acquire", {"command_timeout": 0.1, "timeout": 0.4}, {}, "timeout"),
    ("TCP connect", {"command_timeout": 0.1}, {}, NOBODY),
    ("startup", {"timeout": 0.4}, {}, "timeout"),
    ("COPY out", {"timeout": 0.4}, PAUSED, "timeout"),
    ("COPY in", {"timeout": 0.5, "statement_timeout": 0.3}, {"interval": 30.0}, UNKNOWN),
    ("LISTEN", {"timeout": 0.1, "command_timeout": 0.1, "statement_timeout": 0.1}, {}, NOBODY),
    ("statement executing", {"close": 0.1}, {"delay": 60.0}, NOBODY),
    ("LISTEN", {"asyncio.timeout": 0.4}, {}, "asyncio.timeout"),
]


@pytest.mark.parametrize(("phase", "timeouts", "fields", "want"), POSTGRES)
def test_asyncpg_and_the_server(
    phase: str, timeouts: dict[str, float | None], fields: dict[str, Any], want: str
) -> None:
    assert said("postgres", phase, timeouts, **fields) == want.replace("?", "statement_timeout")


def test_a_hop_and_a_guest_are_ended_by_others() -> None:
    assert said("http/1.1", "response body", {"read": 0.1}, options={CALLED_BY: "grpc"}) == ITSELF
    assert said("http/1.1", ev.GUEST, {"read": 0.1}) == ITSELF


def test_nothing_shipped_is_said_wrongly() -> None:
    """Every lane of every scenario whose cause is a timer: that one wins, and its scenario is held to it by real runs.
    Where a key is pressed no timer is said to come before the key."""
    surely = 0
    for loaded in Library().loaded:
        plan = loaded.settings
        for lane in plan.lanes:
            found = forecast(lane, plan.deadline)
            if found.kind in (Kind.UNKNOWN, Kind.ITSELF):
                continue
            if lane.cause in TIMERS:
                # That no timer ends a body that drips is what this one is about.
                drips = loaded.name == "http-no-total-timeout" and lane.cause == "read timeout"
                assert found.timer == ("" if drips else TIMERS[lane.cause]), (loaded.name, found)
                surely += 1
            elif plan.cause == "deadline":
                assert found.timer == SHARED, (loaded.name, found)
            else:
                # A link that makes a limit of its own is what its lane is about.
                assert found.at is None or found.at > plan.hold or found.timer in lane.middleware, (loaded.name, found)
    assert surely > 60


def test_it_says_why() -> None:
    drips = LanePlan(lane="a", protocol="http/1.1", phase="response body", timeouts={"read": 0.4}, **PAUSED)  # type: ignore[arg-type]
    assert forecast(drips, None).why == (
        "read is set anew for the next chunk, every 20ms, and each of its waits is shorter; "
        "the call ends by itself after about 20s"
    )


# --- whether it came true -----------------------------------------------------------------------------


def ended(cause: str, *, own: bool = False, timeouts: dict[str, float | None] | None = None) -> RunState:
    """A told run whose first lane has these timeouts and was triggered so, 313 ms after its begin."""
    plan = kit.settings()
    for name, seconds in (timeouts or {}).items():
        plan = plan.with_timeout("grpc", name, seconds)
    told = Told().fired(plan)
    told.emit(ev.Trigger, told.zero, run=1, cause=cause, **({"lane": "grpc"} if own else {}))
    told.emit(ev.RunEnded, told.zero + 1_000_000, run=1, outcome="settled")
    return fold(told.events)


def became(run: RunState) -> Truth:
    return truth(of_run(run)[0], run.lanes[0], run)


def test_what_came_true() -> None:
    assert became(ended("gRPC deadline", own=True, timeouts={"deadline": 0.3})) is Truth.TRUE
    assert became(ended("key")) is Truth.TRUE
    assert became(ended("key", timeouts={"deadline": 0.9})) is Truth.FASTER
    assert became(ended("key", timeouts={"deadline": 0.2})) is Truth.FALSE
    assert became(ended("asyncio.timeout", own=True, timeouts={"deadline": 0.3})) is Truth.FALSE
    assert became(ended("key", timeouts={"deadline": 0.3, "asyncio.timeout": 0.3})) is Truth.UNSAID


def test_a_run_that_goes_on_has_shown_nothing_yet() -> None:
    told = Told().fired(kit.settings())
    assert became(fold(told.events)) is Truth.OPEN
