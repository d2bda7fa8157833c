"""A run is held against what its scenario expects: each line names lane, mark, wanted and got."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from app.expect import Expectation, differences, missed
from app.scenario import parse
from probes import events as ev
from probes.events import CALL, TO_CLIENT, TO_SERVER
from probes.fold import fold
from probes.machine import Input
from probes.state import RunState
from tests.kit.story import ZERO, Story, plan

HEAD = 'title = "T"\nsummary = "S"\n'
GRPC = '[[lanes]]\nprotocol = "grpc"\nphase = "mid-stream"\n'
HTTP = '[[lanes]]\nprotocol = "http/2"\nphase = "response body"\n'


def told(phase_us: float | None = -50) -> RunState:
    """A gRPC lane that ends cleanly, and an HTTP/2 lane on whose wire nothing is ever seen."""
    story = Story("grpc")
    plans = (plan("grpc", phase="mid-stream"), plan("http/2", phase="response body", size=100))
    story(ev.RunStarted, -9000, lane="", scenario="one-scope", title="T", lanes=plans)
    story(ev.Census, -8900, lane="", when="before", held={"tasks": 3})
    for lane in ("grpc", "http/2"):
        _begin(story, lane, phase_us)
    story(ev.Trigger, 0, lane="", cause="key")
    for us, lane in ((10, "grpc"), (20, "http/2")):
        story(ev.Signal, us, lane=lane, layer="caller", cause="key")
        story(ev.SpanCancelled, us + 80, lane=lane, layer="client", span=2, name=CALL, error="CancelledError")
        story(ev.SpanCancelled, us + 90, lane=lane, layer="caller", span=1, name=CALL, error="CancelledError")
    reset = {"proto": "http/2", "name": "RST_STREAM", "code": "CANCEL(8)", "stamp": "kernel"}
    story(ev.FrameSeen, 95, layer="wire", conn=1, direction=TO_SERVER, **reset)
    story(ev.SpanCancelled, 900, layer="server", span=4, name="handler", error="CancelledError", evidence="at sleep")
    story(ev.CleanedUp, 950, layer="server", span=4, name="handler", evidence="finally ran")
    story(ev.CleanedUp, 1200, layer="resource", span=3, name="stream", evidence="stream 1")
    story(ev.BytesSeen, 5000, lane="http/2", layer="wire", conn=2, direction=TO_CLIENT, size=210, body=200)
    story(ev.SpanFailed, 9000, lane="http/2", layer="client", span=9, name="follow-up", error="PoolTimeout")
    story(ev.Residue, 990_000, lane="http/2", held={"handlers": 1, "streams": 0})
    story(ev.TeardownStarted, 991_000, lane="http/2")
    story(ev.Census, 999_000, lane="", when="after", held={"tasks": 5})
    story(ev.RunEnded, 1_000_000, lane="", outcome="settled")
    return fold(story.events)


def _begin(story: Story, lane: str, phase_us: float | None) -> None:
    for number, layer, name in (
        (1, "caller", CALL),
        (2, "client", CALL),
        (3, "resource", "stream"),
        (4, "server", "h"),
    ):
        story(ev.SpanStarted, -8000 + number, lane=lane, layer=layer, span=number, name=name)
    story(ev.ChunkSent, -700, lane=lane, layer="server", n=6, size=600, total=6)
    story(ev.ChunkReceived, -600, lane=lane, layer="client", n=5, size=500, total=5)
    if phase_us is not None:
        story(ev.PhaseReached, phase_us, lane=lane, phase="mid-stream", evidence="chunk 1 read")


def said(run: RunState, lane: str = "", whole: str = "", http: str = "") -> list[str]:
    """The differences of ``run`` from a file with these lines of ``[lanes.expect]`` and of ``[expect]``."""
    grpc = f'{GRPC}middleware = ["pass", "shield"]\n[lanes.expect]\n{lane}\n'
    text = f"{HEAD}[expect]\n{whole}\n{grpc}{HTTP}[lanes.expect]\n{http}\n"
    scenario = parse(text, "x.toml")
    expectation = Expectation(scenario.expect, {each.lane: each.expect for each in scenario.lanes})
    return [str(each) for each in differences(run, expectation)]


def test_a_run_that_is_as_expected_has_no_differences() -> None:
    lane = """
verdict = "clean"
caller.done = ["present", "<= 1ms"]
client.done = ["CancelledError", ">= 10us", "< 1ms"]
wire.interrupt = ["RST_STREAM CANCEL(8) | HEADERS 4", "not FIN | GOAWAY", "<= 50ms"]
server = { done = "at sleep", cleanup = "finally" }
resource.cleanup = "> 1ms"
order = ["client.done < wire.interrupt < server.done", "server.cleanup < resource.cleanup"]
machine = { client = "Cancelled", server = ["Cancelled", "Completed"] }
outcome = { caller = "cancelled", client = "cancelled", server = "cancelled" }
zombie = "none"
zombie_bytes = 0
residue = "none"
chunks = ["accepted >= read", "read == 5", "on_wire <= accepted"]
swallowed = 0
"""
    http = """
verdict = "zombie"
wire.interrupt = "absent"
outcome.server = "open"
zombie = [">= 900ms", "< 2s"]
zombie_bytes = ">= 200"
residue = { handlers = "present", streams = "absent", "pool slots" = 0 }
others = { follow-up = ["failed PoolTimeout", "not Read"], sibling = "absent" }
"""
    whole = """
skew = { done = "<= 1ms" }
order = ["grpc.client.done < http/2.client.done"]
leaked = { tasks = 2, sockets = "absent" }
"""
    assert said(told(), lane, whole, http) == []


@pytest.mark.parametrize(
    ("lane", "line"),
    [
        ('verdict = ["leak", "zombie"]', "grpc verdict: wanted leak or zombie, got clean"),
        (
            'wire.interrupt = "absent"',
            "grpc wire.interrupt: wanted nothing, got client>server RST_STREAM CANCEL(8) at 0.",
        ),
        (
            'wire.interrupt = "FIN"',
            "grpc wire.interrupt: wanted FIN, got client>server RST_STREAM CANCEL(8) at 0.10 ms",
        ),
        (
            'wire.interrupt = "FIN|END"',
            "grpc wire.interrupt: wanted FIN|END, got client>server RST_STREAM CANCEL(8) at",
        ),
        ('client.done = "not x | Canc"', "grpc client.done: wanted not x | Canc, got CancelledError at 0.09 ms"),
        ('client.done = "not Cancelled"', "grpc client.done: wanted not Cancelled, got CancelledError at 0.09 ms"),
        ('client.done = "<= 50us"', "grpc client.done: wanted <= 50us, got CancelledError at 0.09 ms"),
        ('client.done = ">= 50ms"', "grpc client.done: wanted >= 50ms, got CancelledError at 0.09 ms"),
        ('client.cleanup = "present"', "grpc client.cleanup: wanted present, got nothing"),
        ('client.cleanup = "finally"', "grpc client.cleanup: wanted finally, got nothing"),
        ('client.cleanup = "<= 1s"', "grpc client.cleanup: wanted <= 1s, got nothing"),
        (
            'order = ["server.done < client.done"]',
            "grpc order: wanted server.done < client.done, got client.done 0.81 ms before server.done",
        ),
        (
            'order = ["client.cleanup < caller.cleanup"]',
            "grpc order: wanted client.cleanup < caller.cleanup, got no client.cleanup, no caller.cleanup",
        ),
        ('machine.client = "Failed"', "grpc client's machine: wanted Failed, got Cancelled"),
        ('machine.server = "PartialSent"', "grpc server's machine: wanted PartialSent, got Cancelled"),
        ('outcome.caller = "failed"', "grpc caller's outcome: wanted failed, got cancelled"),
        ('zombie = ">= 1ms"', "grpc zombie: wanted >= 1ms, got 0s"),
        ('zombie_bytes = ">= 1"', "grpc zombie bytes: wanted >= 1, got 0"),
        ("swallowed = 1", "grpc swallowed: wanted 1, got 0"),
        ('residue.handlers = "present"', "grpc residue handlers: wanted >= 1, got 0"),
        ('chunks = "accepted == read"', "grpc chunks: wanted accepted == read, got 6 and 5"),
        ('chunks = "read < 5"', "grpc chunks: wanted read < 5, got 5 and 5"),
    ],
)
def test_a_difference_names_lane_mark_wanted_and_got(lane: str, line: str) -> None:
    (found,) = said(told(), lane)
    assert found.startswith(line)


@pytest.mark.parametrize(
    ("http", "line"),
    [
        ('zombie = "none"', "http/2 zombie: wanted none, got 999.98ms"),
        ('residue = "none"', "http/2 residue: wanted none, got 1 handlers"),
        ("residue = { handlers = 2 }", "http/2 residue handlers: wanted 2, got 1"),
        ('outcome.server = "cancelled"', "http/2 server's outcome: wanted cancelled, got open"),
        ('wire.interrupt = "present"', "http/2 wire.interrupt: wanted present, got nothing"),
        ('others = { follow-up = "completed" }', "http/2 follow-up: wanted completed, got failed PoolTimeout"),
        ('others = { follow-up = "not Pool" }', "http/2 follow-up: wanted not Pool, got failed PoolTimeout"),
        ('others = { follow-up = "absent" }', "http/2 follow-up: wanted absent, got failed PoolTimeout"),
        ('others = { sibling = "present" }', "http/2 sibling: wanted present, got nothing"),
        ('others = { sibling = "not failed" }', "http/2 sibling: wanted not failed, got nothing"),
    ],
)
def test_what_a_zombie_shows(http: str, line: str) -> None:
    assert said(told(), http=http) == [line]


@pytest.mark.parametrize(
    ("whole", "line"),
    [
        ('skew.done = "<= 5us"', "skew of done: wanted <= 5us, got 0.01 ms"),
        ('skew.cleanup = "<= 1s"', "skew of cleanup: wanted <= 1s, got nothing that is known"),
        (
            'order = "http/2.client.done < grpc.client.done"',
            "order: wanted http/2.client.done < grpc.client.done, "
            "got grpc.client.done 0.01 ms before http/2.client.done",
        ),
        (
            'order = ["http/2.wire.interrupt < grpc.client.done"]',
            "order: wanted http/2.wire.interrupt < grpc.client.done, got no http/2.wire.interrupt",
        ),
        ('leaked = "none"', "leaked: wanted none, got 2 tasks"),
        ('leaked = { tasks = "absent" }', "leaked tasks: wanted 0, got 2"),
        ("violations = 1", "violations: wanted 1, got 0"),
    ],
)
def test_what_holds_between_the_lanes(whole: str, line: str) -> None:
    assert said(told(), whole=whole) == [line]


def test_marks_that_are_nearer_than_their_errors_contradict_no_order() -> None:
    story = Story("grpc")
    story(ev.RunStarted, -9, lane="", scenario="s", title="T", lanes=(plan("grpc"),))
    story(ev.Trigger, 0, lane="", cause="key")
    story(ev.SpanStarted, -8, layer="client", span=1, name=CALL)
    for us, layer in ((10, "client"), (12, "caller")):
        story(ev.SpanCancelled, us, layer=layer, span=1, name=CALL, error="CancelledError")
    lane = 'order = ["caller.done < client.done"]'
    assert len(said(fold(story.events), lane)) == 1
    vague = [replace(event, err=1000) if isinstance(event, ev.SpanCancelled) else event for event in story.events]
    assert said(fold(vague), lane) == []


def test_a_violation_is_a_difference_unless_it_is_expected() -> None:
    run = told()
    lane = run.lanes[0]
    wrong = msgspec.structs.replace(
        run, lanes=(msgspec.structs.replace(lane, client=lane.client.step(Input.FAIL, ZERO)), *run.lanes[1:])
    )
    assert said(wrong) == ["violations: wanted 0, got 1: grpc client fail in Cancelled"]
    assert said(wrong, whole='violations = ">= 1"') == []


def test_a_counter_that_nobody_knows_fits_no_relation() -> None:
    story = Story("grpc")
    story(ev.RunStarted, -9, lane="", scenario="s", title="T", lanes=(plan("grpc"),))
    assert said(fold(story.events), 'chunks = "accepted >= 0"', 'leaked = "none"') == [
        "grpc chunks: wanted accepted >= 0, got a number that nobody knows",
        "leaked: wanted a count before and after the run, got none",
    ]


def test_a_lane_that_the_run_does_not_have_is_not_compared() -> None:
    run, other = told(), parse(HEAD + HTTP + "expect.verdict = 'leak'", "x.toml").lanes[0].expect
    assert differences(run, Expectation(parse(HEAD + HTTP, "x.toml").expect, {"other": other})) == []


@pytest.mark.parametrize(
    ("phase_us", "why"),
    [
        (-50, []),
        (0, []),
        (250, ["grpc was cancelled 250us before it was in the phase 'mid-stream'"]),
        (None, ["grpc never was in the phase 'mid-stream'"]),
    ],
)
def test_a_run_that_missed_its_phase_says_how(phase_us: float | None, why: list[str]) -> None:
    run = told(phase_us)
    assert missed(run)[:1] == why
    assert len(missed(run)) == 2 * len(why)


def test_a_call_that_failed_on_its_way_says_so() -> None:
    story = Story("grpc")
    story(ev.RunStarted, -9, lane="", scenario="s", title="T", lanes=(plan("grpc", phase="mid-stream"),))
    for layer in ("client", "caller"):
        story(ev.SpanStarted, -8, layer=layer, span=1, name=CALL)
        story(ev.SpanFailed, -5, layer=layer, span=1, name=CALL, error="ConnectError")
    assert missed(fold(story.events)) == ["grpc never was in the phase 'mid-stream': its call failed"]


@pytest.mark.parametrize(
    ("links", "says"),
    [
        ('{ shield = ["weakened", "died"], pass = "none" }', []),
        (
            '{ shield = "passed" }',
            ["grpc link shield: wanted passed, got weakened (no deadline), died (told, inside not)"],
        ),
        ('{ pass = "passed" }', ["grpc link pass: wanted passed, got none"]),
    ],
)
def test_what_became_of_the_signal_at_a_link(links: str, says: list[str]) -> None:
    story = Story("grpc")
    story(ev.RunStarted, -9, lane="", scenario="s", title="T", lanes=(plan("grpc"),))
    for effect, evidence in (("weakened", "no deadline"), ("died", "told, inside not")):
        story(ev.LinkSignal, 5, link=1, name="shield", effect=effect, evidence=evidence)
    assert said(fold(story.events), f"links = {links}") == says
