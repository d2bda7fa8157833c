"""What a lane's plan asks for and nobody would do: an option beside a phase, a cause or another option that it has no
part in. Each is silent in a run and would look like a result, so a scenario that has one is refused. Pure data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from probes import catalogue
from probes.events import CALLED_BY, LanePlan

HYPERCORN = "hypercorn"


class Rule(NamedTuple):
    """``option`` does nothing ``where`` this holds, for the reason ``why``, which says what to write."""

    option: str
    where: Callable[[LanePlan], bool]
    why: str


class Senseless(NamedTuple):
    """``path``: of the key that does nothing."""

    path: tuple[str, ...]
    why: str


def _outside(*phases: str) -> Callable[[LanePlan], bool]:
    return lambda plan: plan.phase not in phases


def _in(*phases: str) -> Callable[[LanePlan], bool]:
    return lambda plan: plan.phase in phases


def _without(option: str) -> Callable[[LanePlan], bool]:
    return lambda plan: not plan.options.get(option)


def _other_than(option: str, value: str) -> Callable[[LanePlan], bool]:
    return lambda plan: plan.options.get(option) != value


def _unless_cause(*causes: str) -> Callable[[LanePlan], bool]:
    return lambda plan: plan.cause not in causes


def _says(option: str, value: str, where: Callable[[LanePlan], bool]) -> Callable[[LanePlan], bool]:
    return lambda plan: plan.options.get(option) == value and where(plan)


def _clear_text(plan: LanePlan) -> bool:
    return not plan.tls


def _http1(plan: LanePlan) -> bool:
    return plan.protocol == "http/1.1"


def _rests_and_is_struck(plan: LanePlan) -> bool:
    return plan.phase == catalogue.IDLE and plan.cause in ("server FIN", "server RST")


def _uncancelled(plan: LanePlan) -> bool:
    """Its task is cancelled by nobody: the cause is done to something else."""
    return not plan.cause.startswith("task.cancel") and plan.cause not in catalogue.TIMERS


_HTTP = (
    Rule(
        "server", _says("server", HYPERCORN, lambda plan: plan.tls), "hypercorn speaks clear text here: leave tls out"
    ),
    Rule(
        "server",
        _says("server", HYPERCORN, _rests_and_is_struck),
        "between requests a framework's connection is nobody's",
    ),
    Rule("watch", _other_than("server", HYPERCORN), f'only a framework has to watch: write server = "{HYPERCORN}"'),
    Rule("watch", _in("request body"), "who reads a request's body is told by that: leave watch out"),
    Rule("upload", _outside("request body"), 'only the phase "request body" has an upload'),
    Rule("upload", _says("upload", "window", _http1), 'HTTP/1.1 has no window: write upload = "stalled"'),
    Rule("reset", _http1, "HTTP/1.1 has no streams to reset: leave reset out"),
    Rule("reset", _says("client", "httpx2", lambda _: True), "the patch is made for httpx: leave client out"),
    Rule("linger", _in("DNS", "TCP connect"), "there is no connection yet that could be reset"),
    Rule("resolver_threads", _outside("DNS"), 'only the phase "DNS" looks names up in threads'),
    Rule("ticks", _without("cancel_at"), "ticks are counted from cancel_at: write one"),
    Rule(
        "cancel_at", _says("cancel_at", "holder closed", _outside("pool wait")), 'a holder is there in "pool wait" only'
    ),
    Rule(
        "cancel_at", _says("cancel_at", "start_tls.complete", _clear_text), "there is no TLS to start: write tls = true"
    ),
    Rule("cancel_at", _says("cancel_at", "send_connection_init.complete", _http1), "only HTTP/2 sends a preface"),
    Rule("sibling_delay", _without("sibling"), 'there is no sibling: write sibling = "before" or "after"'),
    Rule("follow_up_timeout", _without("follow_up"), "nothing follows: write follow_up = 1"),
)

_GRPC = (
    Rule("target", _outside("connecting"), 'only in the phase "connecting" the channel has a target of its own'),
    Rule(
        "grace", _unless_cause("server stop", "channel.close"), "grace is given by server stop and channel.close only"
    ),
    Rule("abort", _unless_cause("server abort"), 'abort is how the cause "server abort" does it'),
    Rule("pause", lambda plan: plan.shape == "unary", "a unary call has nothing to read or write in its phase"),
)

_CONNECTING = _in("TCP connect", "startup")
_NO_POOL = "asyncpg.connect has no pool"
_POSTGRES = (
    Rule("statement", _outside("statement executing", "transaction"), "what executes is given by the phase"),
    Rule("fetch", _outside("rows streaming"), 'how rows are fetched is for the phase "rows streaming"'),
    Rule("columns", _outside("rows streaming", "cursor", "COPY out"), "no rows come in this phase"),
    Rule(
        "acquire_timeout",
        _in("pool acquire"),
        "there it is the client's own timeout: write timeouts = { timeout = .. }",
    ),
    Rule("acquire_timeout", _CONNECTING, _NO_POOL),
    Rule("pool_size", _CONNECTING, _NO_POOL),
    Rule("follow_up", _CONNECTING, _NO_POOL),
    Rule("check_interval", _CONNECTING, "a backend checks its connection while a statement executes"),
)

_HOPS = (
    Rule("budget", _without(CALLED_BY), "a budget is what a hop hands on: write called_by"),
    Rule("margin", _other_than("budget", "margin"), 'write budget = "margin"'),
)

_ALL = (
    Rule("second_cancel", _uncancelled, "this cause cancels no task, so there is no first cancel"),
    Rule("edge", lambda plan: plan.cause == "client killed", "nobody cancels the task of a client that is killed"),
)

RULES: dict[str, tuple[Rule, ...]] = {
    "grpc": (*_GRPC, *_ALL),
    "http/1.1": (*_HTTP, *_HOPS, *_ALL),
    "http/2": (*_HTTP, *_ALL),
    "postgres": (*_POSTGRES, *_HOPS, *_ALL),
}


def senseless(plan: LanePlan) -> Iterator[Senseless]:
    """Everything in ``plan`` that would do nothing. An option that is off (0, false) is none."""
    for rule in RULES[plan.protocol]:
        if plan.options.get(rule.option) and rule.where(plan):
            yield Senseless(("options", rule.option), rule.why)
    if plan.options.get(CALLED_BY):
        yield from _hop(plan)
    if plan.protocol == "postgres" and plan.options.get("pool_size") == 0:
        yield Senseless(("options", "pool_size"), "a pool has at least 1 connection")
    if plan.middleware and (why := _no_links(plan)):
        yield Senseless(("middleware",), why)
    if plan.protocol != "grpc" and plan.behaviour.partition(":")[0] == "asks-context":
        yield Senseless(("behaviour",), "only a gRPC handler has a context to ask")
    if plan.protocol == "postgres" and plan.behaviour != "cooperative":
        yield Senseless(("behaviour",), "a backend of PostgreSQL has its own behaviour: leave it out")


def _hop(plan: LanePlan) -> Iterator[Senseless]:
    own = {CALLED_BY, "budget", "margin"}
    for name in plan.options:
        if name not in own:
            yield Senseless(("options", name), f"a hop's call is a handler's: it has {', '.join(sorted(own))} only")


def _no_links(plan: LanePlan) -> str:
    """Why the call of ``plan`` passes no middleware; empty where it does."""
    if plan.options.get(CALLED_BY):
        return "a hop's call is a handler's: nothing stands between"
    if plan.cause == "client killed":
        return "the client of this cause is a process of its own: nothing stands between"
    if plan.shape == "client stream" and plan.cause == "task.cancel elsewhere":
        return "behind interceptors requests come from an iterator: its caller waits in nothing but grpc's await"
    return ""
