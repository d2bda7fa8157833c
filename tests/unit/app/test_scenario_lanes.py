"""What a ``[[lanes]]`` table may say, and what each of its errors says."""

from __future__ import annotations

from typing import get_args

import pytest

from app.scenario import LaneSpec, ScenarioError, parse
from probes.catalogue import BEHAVIOURS, EFFECTS, FAULTS, MIDDLEWARE, OPTIONS, PROTOCOLS, SHAPES, TIMEOUTS, cells
from probes.events import FaultPlan, LanePlan
from probes.middleware import Chain, Effect
from servers import behaviours

HEAD = 'title = "T"\nsummary = "S"\n'

FULL = """\
[[lanes]]
name = "slow reader"
protocol = "postgres"
phase = "rows streaming"
cause = "timeout"
behaviour = "cooperative"
after = 3
chunks = 10
size = 512
interval = "5ms"
middleware = ["pass", "add-timeout:250ms"]

[lanes.timeouts]
timeout = "400ms"
"asyncio.timeout" = "2s"

[lanes.options]
pool_size = 3
check_interval = 0.5
second_cancel = true

[[lanes.faults]]
kind = "slow"
direction = "server>client"
rate = 1024
at = "phase"
seconds = "2s"

[[lanes.faults]]
kind = "lose-cancel"
"""


def lane(text: str) -> LanePlan:
    (plan,) = parse(HEAD + text, "x.toml").to_settings("x").lanes
    return plan


def error(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse(HEAD + text, "x.toml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_everything_that_a_lane_says_becomes_its_plan() -> None:
    assert lane(FULL) == LanePlan(
        lane="slow reader",
        protocol="postgres",
        phase="rows streaming",
        cause="timeout",
        after=3,
        chunks=10,
        size=512,
        interval=0.005,
        timeouts={"timeout": 0.4, "asyncio.timeout": 2.0},
        middleware=("pass", "add-timeout:250ms"),
        faults=(
            FaultPlan(kind="slow", direction="server>client", at="phase", seconds=2.0, rate=1024),
            FaultPlan(kind="lose-cancel"),
        ),
        options={"pool_size": 3, "check_interval": 0.5, "second_cancel": True},
    )


def test_what_is_not_said_has_its_default() -> None:
    plan = lane('[[lanes]]\nprotocol = "http/2"\nphase = "response body"\n')
    assert plan == LanePlan(lane="http/2", protocol="http/2", phase="response body")
    assert lane('[[lanes]]\nprotocol = "grpc"\nphase = "connecting"\n').shape == "server stream"


def test_several_lanes_of_one_protocol_have_names() -> None:
    body = '[[lanes]]\nname = "{}"\nprotocol = "http/1.1"\nphase = "response body"\n'
    plans = parse(HEAD + body.format("a") + body.format("b"), "x.toml").to_settings("x").lanes
    assert [plan.lane for plan in plans] == ["a", "b"]
    said = error(body.format("a") + body.format("a"))
    assert said == "x.toml:8: lanes.2.name: two lanes are called a: give one of them a name of its own"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"slow reader"', '"*/ DROP"', "x.toml:4: lanes.1.name: a lane's name is up to 40 letters"),
        ('"slow reader"', '""', "x.toml:4: lanes.1.name: a lane's name is up to 40 letters"),
        ('"rows streaming"', '"mid-stream"', "x.toml:6: lanes.1.phase: postgres has no phase 'mid-stream': it h"),
        (
            'cause = "timeout"',
            'cause = "fate"',
            "x.toml:7: lanes.1.cause: postgres has no cause 'fate': it has task.ca",
        ),
        (
            '"rows streaming"',
            '"cursor"',
            "x.toml:7: lanes.1.cause: timeout cannot come in the phase 'cursor': the client waits for no command",
        ),
        (
            'timeout = "400ms"',
            'timeout = "none"',
            'x.toml:7: lanes.1.cause: the cause "timeout" needs its timeout: write timeouts = { timeout = "400ms" }',
        ),
        (
            'cause = "timeout"',
            'cause = "statement_timeout"',
            'x.toml:7: lanes.1.cause: the cause "statement_timeout" needs its timeout: write timeouts = { statem',
        ),
        (
            '"cooperative"',
            '"clever:3"',
            "x.toml:8: lanes.1.behaviour: unknown behaviour: there are cooperative, slow-c",
        ),
        ("after = 3", 'shape = "bidi"', "x.toml:9: lanes.1.shape: only a grpc lane has a shape"),
        ("after = 3", "tls = true", "x.toml:9: lanes.1.tls: only HTTP lanes have tls"),
        ("after = 3", "after = 0", "x.toml:9: lanes.1.after: input should be greater than or equal to 1, not 0"),
        ('"pass"', '"passs"', "x.toml:13: lanes.1.middleware.1: unknown middleware: there are pass, shield"),
        ('"pass"', '"pass:1s"', "x.toml:13: lanes.1.middleware.1: pass takes no argument"),
        ("add-timeout:250ms", "add-timeout", "x.toml:13: lanes.1.middleware.2: add-timeout takes a time, like"),
        ("add-timeout:250ms", "add-timeout:none", "x.toml:13: lanes.1.middleware.2: add-timeout takes a time, like"),
        ('"asyncio.timeout" = "2s"', '"asyncio.timeout" = 2', "x.toml:17: lanes.1.timeouts.asyncio.timeout: a t"),
        (
            "pool_size = 3",
            "pool_size = 3.5",
            "x.toml:20: lanes.1.options.pool_size: the option pool_size is a whole nu",
        ),
        (
            "pool_size = 3",
            "pool_size = true",
            "x.toml:20: lanes.1.options.pool_size: the option pool_size is a whole n",
        ),
        (
            "pool_size = 3",
            "pool_size = -1",
            "x.toml:20: lanes.1.options.pool_size: the option pool_size is a whole num",
        ),
        ("pool_size = 3", "poolsize = 3", "x.toml:20: lanes.1.options.poolsize: postgres has no option 'poolsiz"),
        ("check_interval = 0.5", "check_interval = nan", "x.toml:21: lanes.1.options.check_interval: the option"),
        (
            "second_cancel = true",
            "second_cancel = 1",
            "x.toml:22: lanes.1.options.second_cancel: the option second_cancel is true o",
        ),
        (
            "second_cancel = true",
            'edge = "trio"',
            "x.toml:22: lanes.1.options.edge: the option edge is one of asyncio, an",
        ),
        ("second_cancel = true", "edge = []", "x.toml:22: lanes.1.options.edge"),
        ('kind = "slow"', 'kind = "slow"\nspeed = 1', "x.toml:26: lanes.1.faults.1.speed: unknown key: known ar"),
        ('kind = "slow"', 'kind = "slwo"', "x.toml:25: lanes.1.faults.1.kind: input should be 'freeze', 'black-"),
        ("rate = 1024", "rate = 0", "x.toml:27: lanes.1.faults.1.rate: input should be greater than or equal to 1"),
        ("rate = 1024\n", "", 'x.toml:25: lanes.1.faults.1.kind: the fault "slow" needs rate: write rate = 1024'),
        ('kind = "lose-cancel"', 'kind = "cut"', 'x.toml:32: lanes.1.faults.2.kind: the fault "cut" needs how: '),
        ('kind = "lose-cancel"', 'kind = "delay-cancel"', 'x.toml:32: lanes.1.faults.2.kind: the fault "delay-c'),
        ('kind = "lose-cancel"', 'kind = "hold"\nhow = "FIN"', "x.toml:33: lanes.1.faults.2.how: only the fault"),
        ('seconds = "2s"', 'seconds = "0s"', "x.toml:29: lanes.1.faults.1.seconds: a fault lasts longer than 0"),
        ('seconds = "2s"', "seconds = 2", "x.toml:29: lanes.1.faults.1.seconds: a time is text with its unit"),
        ("server>client", "server", "x.toml:26: lanes.1.faults.1.direction: input should be 'client>server' or"),
    ],
)
def test_an_error_names_line_and_remedy(old: str, new: str, says: str) -> None:
    assert old in FULL
    assert error(FULL.replace(old, new, 1)).startswith(says)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('protocol = "grpc"\nphase = "mid-stream"\nshape = "unary"', ": lanes.1.shape: a unary call is no stream"),
        (
            'protocol = "grpc"\nphase = "connecting"\nshape = "round"',
            ": lanes.1.shape: there is no shape 'round': there",
        ),
        (
            'protocol = "grpc"\nphase = "first response"',
            ": lanes.1.phase: the phase 'first response' lasts as long as d",
        ),
        ('protocol = "http/2"\nphase = "TLS handshake"', ": lanes.1.phase: the phase 'TLS handshake' needs tls "),
        (
            'protocol = "http/2"\nphase = "response body"\nfaults = [{ kind = "lose-cancel" }]',
            ": lanes.1.faults.1: only a postgres lane has CancelRequests to lose",
        ),
        (
            'protocol = "http/2"\nphase = "response body"\nmiddleware = ["pass"]\nexpect.links.shield = "died"',
            "x.toml:7: lanes.1.expect.links.shield: there is no link 'shield' in the middleware: there is pass",
        ),
        (
            'protocol = "http/2"\nphase = "response body"\nmiddleware = ["pass"]\nexpect.links.pass = "lived"',
            "x.toml:7: lanes.1.expect.links.pass: there is no 'lived': there are passed, weakened, died, grew, none",
        ),
        (
            'protocol = "http/2"\nphase = "response body"\nexpect.others.guest = "failed"',
            "x.toml:6: lanes.1.expect.others.guest: there is no such request: there are holder, sibling, abandoned",
        ),
        (
            'protocol = "http/2"\nphase = "response body"\nexpect.others.follow-up = "<= 5ms"',
            'lanes.1.expect.others: of a request say "present", "absent", or words of how it ended',
        ),
        (
            'protocol = "http/2"\nphase = "response body"\noptions = { upload = "paced" }',
            'x.toml:6: lanes.1.options.upload: only the phase "request body" has an upload',
        ),
        (
            'protocol = "http/2"\nphase = "response body"\noptions = { follow_up = 1, follow_up_timeout = 2 }',
            'x.toml:6: lanes.1.options.follow_up_timeout: the run is over before: write settle = "2s" or more',
        ),
        ('protocol = "http/2"\nphase = "DNS"', ": lanes.1.phase: the phase 'DNS' lasts as long as delay"),
        (
            'protocol = "http/2"\nphase = "idle"\ncause = "asyncio.timeout"',
            ": lanes.1.cause: asyncio.timeout cannot come in the phase 'idle': no call is open",
        ),
        (
            'protocol = "grpc"\nphase = "connecting"\ncause = "asyncio.timeout"',
            ': lanes.1.cause: the cause "asyncio.timeout" needs its timeout: write timeouts = { "asyncio.timeout"',
        ),
    ],
)
def test_what_does_not_fit_together(body: str, says: str) -> None:
    assert says in error(f"[[lanes]]\n{body}\n")


def test_a_fault_may_hold_a_call_in_its_phase_instead_of_a_delay() -> None:
    held = '[[lanes]]\nprotocol = "grpc"\nphase = "first response"\nfaults = [{ kind = "freeze" }]\n'
    assert lane(held).faults == (FaultPlan(kind="freeze"),)


def test_a_lane_with_its_own_timer_may_stand_next_to_a_key() -> None:
    timer = '[[lanes]]\nprotocol = "grpc"\nphase = "mid-stream"\ncause = "deadline"\ntimeouts = { deadline = "1s" }\n'
    other = '[[lanes]]\nprotocol = "postgres"\nphase = "LISTEN"\n'
    assert parse(HEAD + timer + other, "x.toml").cause == "key"
    said = error(f'cause = "timeout"\n{timer}{other}')
    assert said.startswith(
        "x.toml:9: lanes.2.cause: nobody presses a key (the run's cause is timeout): asyncio.timeout"
    )


@pytest.mark.parametrize("cell", cells(), ids="-".join)
def test_every_cell_of_the_grid_is_a_lane_or_an_error_that_says_why_not(cell: tuple[str, str, str, str]) -> None:
    protocol, phase, cause, why = cell
    timeouts = ", ".join(f'"{name}" = "1s"' for name in TIMEOUTS[protocol])
    tls = f"tls = {str(phase == 'TLS handshake').lower()}"
    body = f'protocol = "{protocol}"\nphase = "{phase}"\ncause = "{cause}"\n{tls}\ndelay = "9s"\n'
    text = f"[[lanes]]\n{body}timeouts = {{ {timeouts} }}\n"
    if why:
        assert error(text).endswith(f"{cause} cannot come in the phase {phase!r}: {why}")
    else:
        assert (lane(text).phase, lane(text).cause) == (phase, cause)


def test_the_tables_and_the_models_know_the_same_names() -> None:
    assert set(behaviours.BEHAVIOURS) <= set(BEHAVIOURS)
    assert next(iter(behaviours.BEHAVIOURS)) == next(iter(BEHAVIOURS)) == LaneSpec.model_fields["behaviour"].default
    assert set(OPTIONS) == set(PROTOCOLS)
    assert get_args(Effect) == EFFECTS
    assert "unary" in SHAPES
    for name in FAULTS:
        more = {"slow": "rate = 1", "cut": 'how = "FIN"', "delay-cancel": 'seconds = "1s"'}.get(name, "")
        (fault,) = lane(
            f'[[lanes]]\nprotocol = "postgres"\nphase = "LISTEN"\n[[lanes.faults]]\nkind = "{name}"\n{more}'
        ).faults
        assert fault.kind == name
    links = [_with_argument(name) for name in MIDDLEWARE]
    plan = lane(f'[[lanes]]\nprotocol = "grpc"\nphase = "connecting"\nmiddleware = {links}')
    assert [link.name.partition(":")[0] for link in Chain(plan.middleware, lambda *_: None).links] == list(MIDDLEWARE)


def _with_argument(name: str) -> str:
    return f"{name}:1s" if MIDDLEWARE[name][0] else name
