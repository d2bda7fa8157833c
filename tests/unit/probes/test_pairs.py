"""What does nothing beside what else a plan says, and the nearest plan in which it does something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.lab.workbench import place_of
from probes.events import LanePlan
from probes.pairs import senseless

H1: dict[str, Any] = {"protocol": "http/1.1", "phase": "response body"}
H2: dict[str, Any] = {**H1, "protocol": "http/2"}
PG: dict[str, Any] = {"protocol": "postgres", "phase": "statement executing"}
GRPC: dict[str, Any] = {"protocol": "grpc", "phase": "mid-stream", "shape": "server stream"}
BODY = {"phase": "request body"}
CONNECT = {"phase": "startup"}

PAIRS: list[tuple[dict[str, Any], str, object, dict[str, Any]]] = [
    ({**H1, "tls": True}, "server", "hypercorn", {"tls": False}),
    ({**H1, "phase": "idle", "cause": "server RST"}, "server", "hypercorn", {"phase": "response body"}),
    (H1, "watch", True, {"options": {"watch": True, "server": "hypercorn"}}),
    ({**H1, **BODY, "options": {"server": "hypercorn"}}, "watch", True, {"phase": "response body"}),
    (H1, "upload", "paced", BODY),
    ({**H1, **BODY}, "upload", "window", {"protocol": "http/2"}),
    (H1, "reset", True, {"protocol": "http/2"}),
    ({**H2, "options": {"client": "httpx2"}}, "reset", True, {"options": {"reset": True}}),
    ({**H1, "phase": "TCP connect"}, "linger", True, {"phase": "idle"}),
    (H1, "resolver_threads", 2, {"phase": "DNS"}),
    (H1, "ticks", 1, {"options": {"ticks": 1, "cancel_at": "connect_tcp.complete"}}),
    (H1, "cancel_at", "holder closed", {"phase": "pool wait"}),
    (H1, "cancel_at", "start_tls.complete", {"tls": True}),
    (H1, "cancel_at", "send_connection_init.complete", {"protocol": "http/2"}),
    (H1, "sibling_delay", 1.0, {"options": {"sibling_delay": 1.0, "sibling": "before"}}),
    (H1, "follow_up_timeout", 1.0, {"options": {"follow_up_timeout": 1.0, "follow_up": 1}}),
    (GRPC, "target", "dead", {"phase": "connecting"}),
    (GRPC, "grace", 1.0, {"cause": "server stop"}),
    (GRPC, "abort", "status", {"cause": "server abort"}),
    ({**GRPC, "phase": "first response", "shape": "unary"}, "pause", True, {"shape": "bidi"}),
    ({**PG, "phase": "cursor"}, "statement", "insert", {"phase": "transaction"}),
    (PG, "fetch", "all", {"phase": "rows streaming"}),
    (PG, "columns", 3, {"phase": "COPY out"}),
    ({**PG, "phase": "pool acquire"}, "acquire_timeout", 1.0, {"phase": "LISTEN"}),
    ({**PG, **CONNECT}, "acquire_timeout", 1.0, {"phase": "cursor"}),
    ({**PG, **CONNECT}, "pool_size", 2, {"phase": "cursor"}),
    ({**PG, **CONNECT}, "follow_up", 1, {"phase": "cursor"}),
    ({**PG, **CONNECT}, "check_interval", 100, {"phase": "cursor"}),
    (PG, "pool_size", 0, {"options": {"pool_size": 1}}),
    (H1, "budget", "passed", {"options": {"budget": "passed", "called_by": "grpc"}}),
    (
        {**H1, "options": {"called_by": "grpc", "budget": "passed"}},
        "margin",
        0.1,
        {"options": {"called_by": "grpc", "budget": "margin", "margin": 0.1}},
    ),
    ({**H1, "options": {"called_by": "grpc"}}, "linger", True, {"options": {"linger": True}}),
    ({**GRPC, "cause": "call.cancel"}, "second_cancel", True, {"cause": "task.cancel"}),
    ({**GRPC, "cause": "client killed"}, "edge", "anyio", {"cause": "task.cancel"}),
]


@pytest.mark.parametrize(
    ("plan", "option", "value", "remedy"), PAIRS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_an_option_that_does_nothing_is_named_and_has_a_remedy(
    plan: dict[str, Any], option: str, value: object, remedy: dict[str, Any]
) -> None:
    asked = LanePlan(lane="l", **{**plan, "options": {**plan.get("options", {}), option: value}})
    assert [found.path for found in senseless(asked)] == [("options", option)]
    assert list(senseless(replace(asked, **remedy))) == []


@pytest.mark.parametrize(
    "plan",
    [
        {**GRPC, "cause": "client killed"},
        {**GRPC, "shape": "client stream", "cause": "task.cancel elsewhere"},
        {**H1, "options": {"called_by": "grpc"}},
    ],
)
def test_a_call_that_passes_no_middleware_has_none(plan: dict[str, Any]) -> None:
    asked = LanePlan(lane="l", **plan, middleware=("pass",))
    assert [found.path for found in senseless(asked)] == [("middleware",)]
    assert list(senseless(replace(asked, middleware=()))) == []


@pytest.mark.parametrize("plan", [{**H1, "behaviour": "asks-context"}, {**PG, "behaviour": "swallow"}])
def test_a_behaviour_that_nobody_there_has_is_refused(plan: dict[str, Any]) -> None:
    asked = LanePlan(lane="l", **plan)
    assert [found.path for found in senseless(asked)] == [("behaviour",)]
    assert list(senseless(replace(asked, behaviour="cooperative"))) == []


def test_our_own_server_speaks_tls_where_it_is_asked_to() -> None:
    named = LanePlan(lane="l", **H1, tls=True, options={"server": "http"})
    assert place_of(named).service == place_of(replace(named, options={})).service == "https"
