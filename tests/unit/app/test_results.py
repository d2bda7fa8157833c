"""The JSON object of a run: its exact form, its rounding, and null for what did not come."""

from __future__ import annotations

import json

import pytest

from app.results import results
from app.table import shown, span, table
from probes import events as ev
from probes.events import CALL, TO_CLIENT, TO_SERVER
from tests.kit.story import Story, plan


def grpc_and_postgres() -> list[ev.Event]:
    """One run: a gRPC lane that ends cleanly and a PostgreSQL lane whose CancelRequest is answered."""
    story = Story("grpc")
    story(ev.LabReady, -99_000, run=0, lane="", versions={"grpcio": "1.2"}, addresses={})
    plans = (plan("grpc"), plan("postgres"))
    story(ev.RunStarted, -9000, lane="", scenario="one-scope", title="T", lanes=plans)
    for lane in ("grpc", "postgres"):
        for span_id, layer in enumerate(("caller", "client", "resource"), start=1):
            story(ev.SpanStarted, -8000, lane=lane, layer=layer, span=span_id, name=CALL)
    story(ev.SpanStarted, -7000, layer="server", span=4, name="handler")
    story(ev.ChunkSent, -6000, layer="server", n=6, size=600, total=6)
    story(ev.ChunkReceived, -5000, layer="client", n=5, size=500, total=5)
    body = {"conn": 1, "direction": TO_CLIENT, "size": 700, "body": 600, "messages": 6}
    story(ev.BytesSeen, -5500, layer="wire", **body)
    wire = {"lane": "postgres", "layer": "wire", "proto": "postgres"}
    story(ev.FrameSeen, -4000, conn=2, direction=TO_SERVER, name="Execute", **wire)
    story(ev.Trigger, 0, lane="", cause="key")
    for lane, told in (("grpc", 31.04), ("postgres", 33)):
        story(ev.Signal, told, lane=lane, layer="caller", cause="key")
        call = {"lane": lane, "name": CALL, "error": "CancelledError"}
        story(ev.SpanCancelled, told + 61.1, layer="client", span=2, **call)
    h2 = {"layer": "wire", "proto": "http/2", "stamp": "kernel"}
    story(ev.FrameSeen, 610.36, conn=1, direction=TO_SERVER, name="RST_STREAM", code="CANCEL(8)", **h2)
    story(ev.SpanCancelled, 1210, layer="server", span=4, name="handler", error="CancelledError")
    story(ev.CleanedUp, 1250.7, layer="server", span=4, name="handler")
    story(ev.CleanedUp, 1300.2, layer="resource", span=3, name=CALL, evidence="stream freed")
    story(ev.FrameSeen, 1400, conn=3, direction=TO_SERVER, name="CancelRequest", **wire)
    story(ev.FrameSeen, 3000, conn=2, direction=TO_CLIENT, name="ErrorResponse", code="57014", stamp="kernel", **wire)
    story(ev.FrameSeen, 3010, conn=2, direction=TO_CLIENT, name="ReadyForQuery", code="I", **wire)
    story(ev.Residue, 3900, lane="postgres", layer="resource", held={"pool slots": 0, "handlers": 1})
    story(ev.LoopLag, 3950, lane="", lag_ns=80_000)
    story(ev.RunEnded, 4000, lane="", outcome="settled")
    return story.events


def test_the_form_is_the_specifications() -> None:
    (result,) = results(grpc_and_postgres())
    assert json.loads(json.dumps(result)) == {
        "scenario": "one-scope",
        "run": 1,
        "trigger": {"cause": "key"},
        "versions": {"grpcio": "1.2"},
        "lanes": {
            "grpc": {
                "caller": {"done_us": 31.0},
                "client": {"done_us": 92.1, "evidence": "CancelledError"},
                "wire": {"interrupt_us": 610.4, "evidence": "client>server RST_STREAM CANCEL(8)", "stamp": "kernel"},
                "server": {"done_us": 1210.0, "cleanup_us": 1250.7, "evidence": "CancelledError"},
                "resource": {"cleanup_us": 1300.2, "evidence": "stream freed"},
                "machine": {"client": "Cancelled", "server": "Cancelled", "violations": 0},
                "chunks": {"accepted": 6, "on_wire": 6, "read": 5},
                "zombie": {"ms": 0.0, "bytes": 0},
                "residue": {},
                "verdict": "clean",
            },
            "postgres": {
                "caller": {"done_us": 33.0},
                "client": {"done_us": 94.1, "evidence": "CancelledError"},
                "wire": {
                    "interrupt_us": 3000.0,
                    "evidence": "client>server CancelRequest, server>client ErrorResponse 57014",
                    "stamp": "kernel",
                },
                "server": {"done_us": 3000.0, "cleanup_us": 3010.0, "evidence": "ErrorResponse 57014"},
                "resource": {"cleanup_us": None, "evidence": None},
                "machine": {"client": "Cancelled", "server": "Cancelled", "violations": 0},
                "chunks": {"accepted": None, "on_wire": 0, "read": 0},
                "zombie": {"ms": 0.0, "bytes": 0},
                "residue": {"handlers": 1},
                "verdict": "leak",
            },
        },
        "skew_us": {"done": 2.0, "interrupt": 2389.6, "cleanup": None},
        "loop_lag_us": 80.0,
    }


def test_what_did_not_come_is_null_and_an_aborted_run_says_why() -> None:
    events = [event for event in grpc_and_postgres() if event.t < 10_000_000_000 and not event.layer]
    events.append(ev.RunEnded(t=10**11, err=0, src="app", seq=1, run=1, outcome="aborted", detail="lab died: SIGKILL"))
    (result,) = results(events)
    assert result["aborted"] == "lab died: SIGKILL"
    assert result["trigger"] == {"cause": None}
    grpc = result["lanes"]["grpc"]
    assert grpc["caller"] == {"done_us": None}
    assert grpc["wire"] == {"interrupt_us": None, "evidence": None, "stamp": None}
    assert result["skew_us"] == {"done": None, "interrupt": None, "cleanup": None}


def test_each_lanes_own_trigger_is_the_cause_where_the_scope_has_none() -> None:
    events = [event for event in grpc_and_postgres() if not isinstance(event, ev.Trigger)]
    own = Story("grpc")
    own(ev.Trigger, -1, cause="gRPC deadline")(ev.Trigger, -1, lane="postgres", cause="asyncpg timeout")
    (result,) = results([events[0], events[1], *own.events, *events[2:]])
    assert result["trigger"] == {"cause": "gRPC deadline, asyncpg timeout"}
    assert result["lanes"]["grpc"]["caller"]["done_us"] == 32.0


def test_a_run_that_never_began_has_no_result_and_others_are_kept_apart() -> None:
    whole = grpc_and_postgres()
    refused = ev.RunEnded(t=1, err=0, src="lab", seq=1, run=9, outcome="aborted", detail="run 1 is still open")
    assert [one["run"] for one in results([*whole[:5], refused, *whole[5:]])] == [1]


def test_events_of_a_process_that_was_late_count_as_long_as_the_run_is_open() -> None:
    whole = grpc_and_postgres()
    arrival = [whole[0], whole[1], *reversed(whole[2:-1]), whole[-1]]
    assert list(results(arrival)) == list(results(whole))


@pytest.mark.parametrize(
    ("us", "text"),
    [(None, "-"), (0.0, "0.0 µs"), (92.1, "92.1 µs"), (1210.0, "1.21 ms"), (2_500_000.0, "2.50 s"), (-3.2, "-3.2 µs")],
)
def test_times_for_people(us: float | None, text: str) -> None:
    assert span(us) == text


def test_the_table_says_the_same_for_people() -> None:
    (result,) = results(grpc_and_postgres())
    lines = table(result).splitlines()
    assert lines[0] == "one-scope  run 1  cause: key"
    assert lines[1].split() == ["lane", "layer", "Done", "I/O", "interrupt", "cleanup", "evidence"]
    wire = next(line for line in lines if "wire " in line)
    assert wire.split() == ["wire", "610.4", "µs", "client>server", "RST_STREAM", "CANCEL(8)", "(kernel", "stamp)"]
    assert "clean; client Cancelled, server Cancelled; chunks 6 accepted, 6 on the wire, 5 read" in lines[7]
    assert "leak; client Cancelled, server Cancelled; chunks ? accepted" in lines[13]
    assert lines[13].endswith("left: 1 handlers")
    assert lines[14] == "skew: done 2.0 µs, interrupt 2.39 ms, cleanup -; loop lag 80.0 µs"
    starts = {line.index("µs") for line in lines[2:4]}
    assert len(starts) == 1, "the columns are aligned"


def test_nothing_seen_is_a_result_and_colour_only_dresses_the_verdict() -> None:
    events = [event for event in grpc_and_postgres() if not isinstance(event, ev.FrameSeen)]
    (result,) = results(events)
    plain, coloured = table(result), table(result, colour=True)
    assert "nothing seen" in plain
    assert "\x1b" not in plain
    assert "\x1b[33;1mclaimed, not seen\x1b[0m" in coloured


def test_text_from_a_file_is_shown_and_never_obeyed() -> None:
    (result,) = results(grpc_and_postgres())
    result["lanes"]["grpc"]["resource"]["evidence"] = "red \x1b[31m\r\nbell\x07"
    text = table(result)
    assert "\x1b" not in text
    assert "red \\x1b[31m\\r\\nbell\\x07" in text
    assert shown("µ ok") == "µ ok"
