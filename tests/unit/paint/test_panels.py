"""Machine, scoreboard, timeouts, status, footer, evidence, and what stands there before the first run."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from msgspec import structs

from app.actions import ACTIONS, DIALOGS, Place, actions, help_lines, hint
from app.paint import evidence, machine, scoreboard, starting, status, timeouts
from app.paint.canvas import Canvas, Role
from app.paint.view import Hint, Playback
from probes import events as ev
from probes.machine import VIOLATIONS_KEPT, State
from probes.verdict import WORDS
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told, view


def lines(canvas: Canvas) -> list[str]:
    return [canvas.text(y).rstrip() for y in range(canvas.rows)]


def find(canvas: Canvas, text: str) -> tuple[int, int]:
    for y, line in enumerate(lines(canvas)):
        if text in line:
            return line.index(text), y
    raise AssertionError(f"{text!r} is nowhere in\n" + "\n".join(lines(canvas)))


def role_of(canvas: Canvas, text: str) -> Role:
    return canvas.role(*find(canvas, text))


# --- machine ------------------------------------------------------------------------------------------


def test_both_sides_of_every_lane_are_listed() -> None:
    canvas = machine.paint_machine(view(kit.settled(), selected=2), 32, 22)
    assert lines(canvas)[1:5] == [
        " 1 Cancelled     Cancelled",
        " 2 Cancelled     Cancelled",
        "▌3 Cancelled     PartialSent",
        " 4 Cancelled     Cancelled",
    ]


def test_the_live_state_of_each_side_is_lit() -> None:
    canvas = machine.paint_machine(view(kit.settled(), selected=2), 32, 22)
    assert role_of(canvas, "s │PartialSent") is Role.LIT_ALERT
    assert role_of(canvas, "c   Cancelled") is Role.LIT_CLEANUP


def test_a_transition_flashes_when_it_is_new() -> None:
    told = Told()
    fresh = view(kit.cancelled(), told.zero + 50_000_000)
    x, y = find(machine.paint_machine(fresh, 32, 22), "cs  Cancelled")
    assert machine.paint_machine(fresh, 32, 22).role(x + 4, y) is Role.LIT_TEXT
    old = view(kit.cancelled(), told.zero + 900_000_000)
    assert machine.paint_machine(old, 32, 22).role(x + 4, y) is Role.LIT_CLEANUP


def test_the_three_counters() -> None:
    canvas = machine.paint_machine(view(kit.settled(), selected=2), 32, 22)
    text = "\n".join(lines(canvas))
    assert "accepted     59" in text
    assert "on wire      59" in text
    assert "read         14" in text


def test_violations_are_red() -> None:
    told = Told().ready().fired(kit.settings())
    told.span(ev.SpanCompleted, -5_000, "grpc", "server")
    told.sent(-4_000, "grpc", 15)
    canvas = machine.paint_machine(view(told.events, told.zero), 40, 24)
    assert role_of(canvas, "1 violation: server chunk in Completed") is Role.ALERT
    for t in range(VIOLATIONS_KEPT):
        told.sent(t, "grpc", 16 + t)
    canvas = machine.paint_machine(view(told.events, told.zero), 60, 24)
    assert role_of(canvas, f"{VIOLATIONS_KEPT + 1} violations, first: server chunk in Completed") is Role.ALERT


def test_before_the_first_run_both_sides_are_idle() -> None:
    canvas = machine.paint_machine(view(kit.ready()), 32, 22)
    assert role_of(canvas, "cs  Idle") is Role.LIT_TEXT


@pytest.mark.parametrize("rows", [5, 12, 16, 22, 40])
def test_the_graph_is_there_however_few_rows(rows: int) -> None:
    text = "\n".join(lines(machine.paint_machine(view(kit.settled()), 29, rows)))
    assert all(state in text for state in State)


# --- scoreboard ---------------------------------------------------------------------------------------


def test_the_scoreboard_at_the_design_width() -> None:
    board = scoreboard.paint_scoreboard(view(kit.settled(), selected=2), 84, 6)
    assert lines(board) == [
        " lane        ◆ Done   ■ I/O    ● cleanup ▒ zombie   residue     verdict",
        " 1 grpc      92 µs    610 µs   1.8 ms    -          -           clean",
        " 2 http/1.1  118 µs   805 µs   940 µs    -          -           clean",
        "▌3 http/2    110 µs   never    -         > 1.0 s    2 held      zombie",
        " 4 postgres  3.0 ms   2.7 ms   5.6 ms    -          -           clean",
        " skew        3.0 ms   2.1 ms   4.7 ms",
    ]


def test_never_and_zombie_are_alarming() -> None:
    board = scoreboard.paint_scoreboard(view(kit.settled()), 120, 6)
    assert role_of(board, "never") is Role.ALERT
    assert role_of(board, "> 1.0 s, 118 KiB") is Role.ALERT
    assert role_of(board, "1 handler, 1 stream") is Role.ALERT
    assert role_of(board, "clean") is Role.CLEANUP


def test_while_the_lab_can_still_answer_it_is_not_yet_never() -> None:
    board = scoreboard.paint_scoreboard(view(kit.cancelled(), Told().zero + 900_000_000), 110, 6)
    assert role_of(board, "not yet") is Role.ALERT


def test_the_median_skew_needs_more_than_one_run() -> None:
    one = view(kit.settled())
    three = replace(one, history=one.history * 3)
    assert "median" not in "\n".join(lines(scoreboard.paint_scoreboard(one, 110, 7)))
    assert "of 3        3.0 ms" in "\n".join(lines(scoreboard.paint_scoreboard(three, 84, 7)))


def test_the_skew_moves_into_the_title_where_rows_are_scarce() -> None:
    assert scoreboard.title(view(kit.settled()), 6)[1] == ""
    assert scoreboard.title(view(kit.settled()), 5)[1] == "skew Done 3.0 ms, I/O 2.1 ms"


# --- timeouts -----------------------------------------------------------------------------------------


def test_timeouts_by_lane() -> None:
    assert lines(timeouts.paint_timeouts(view(kit.ready()), 32, 10)) == [
        "scope deadline              none",
        "grpc deadline               none",
        "              http/1.1    http/2",
        " connect        500 ms    500 ms",
        " read              2 s       2 s",
        " write            none      none",
        " pool             none      none",
        "postgres",
        " timeout                    none",
        " command_timeout            none",
    ]


def test_the_timeout_that_fired_is_marked() -> None:
    plan = kit.settings().with_timeout("grpc", "deadline", 0.4)
    canvas = timeouts.paint_timeouts(view(kit.timed_out(), Told().zero + 10**8, plan=plan), 32, 10)
    assert role_of(canvas, "◆ 400 ms") is Role.DONE
    assert lines(canvas)[4] == " read            ◆ 2 s       2 s"


@pytest.mark.parametrize(
    ("cause", "lane", "name", "fired"),
    [
        ("asyncpg timeout", "postgres", "timeout", True),
        ("asyncpg timeout", "postgres", "command_timeout", False),
        ("asyncpg command_timeout", "postgres", "command_timeout", True),
        ("asyncpg command_timeout", "postgres", "timeout", False),
        ("httpx pool timeout", "http/2", "pool", True),
        ("httpx pool timeout", "http/2", "read", False),
        ("gRPC deadline", "grpc", "deadline", True),
    ],
)
def test_which_timeout_fired(cause: str, lane: str, name: str, fired: bool) -> None:
    told = Told().fired(kit.settings())
    told.at(ev.Trigger, 0, lane, cause=cause)
    assert timeouts.fired(view(told.events, told.zero), lane, name) is fired


def test_a_change_for_the_next_run_shows() -> None:
    plan = kit.settings().with_timeout("http/2", "read", 0.25)
    changed = view(kit.settled(), plan=plan)
    assert timeouts.title(changed, 9) == ("timeouts", "next run")
    assert role_of(timeouts.paint_timeouts(changed, 32, 10), "250 ms") is Role.KEY
    assert timeouts.title(view(kit.settled()), 9) == ("timeouts", "")


def test_which_timer_will_win_is_said_and_then_whether_it_did() -> None:
    plan = kit.settings().with_timeout("grpc", "deadline", 0.4).with_timeout("", "deadline", 1.0)
    before = [line.split() for line in lines(timeouts.paint_timeouts(view(kit.ready(), plan=plan), 32, 30))]
    assert ["first:", "grpc", "deadline", "at", "400", "ms"] in before
    assert ["▌grpc", "deadline", "400", "ms"] in before
    assert ["http/1.1", "shared", "1", "s"] in before
    run = view(kit.timed_out(plan), Told().zero + 10**8, plan=plan)
    after = [line.split() for line in lines(timeouts.paint_timeouts(run, 32, 30))]
    assert ["not", "as", "said", "in", "1", "of", "4"] in after
    assert ["▌grpc", "deadline", "400", "ms", "✓"] in after
    assert ["http/1.1", "shared", "1", "s", "≠"] in after


def test_where_nobody_ends_it_the_panel_says_what_to_press() -> None:
    canvas = timeouts.paint_timeouts(view(kit.ready()), 32, 12)
    assert "no timer will fire; you press c" in lines(canvas)
    spelt = replace(view(kit.ready()), spelt=(("cancel_all", "x"),))
    assert "no timer will fire; you press x" in lines(timeouts.paint_timeouts(spelt, 32, 12))


# --- first and last line ------------------------------------------------------------------------------


def test_the_status_line_loses_the_least_important_first() -> None:
    seen = view(kit.settled())
    texts = [lines(status.paint_status(seen, columns, 1))[0] for columns in (120, 80, 40)]
    assert "PostgreSQL 18.1" in texts[0]
    assert "tap +38 µs" in texts[0]
    assert "PostgreSQL" not in texts[1]
    assert "run 1" in texts[2]
    assert all("LIVE" in text and "ready" in text for text in texts)


def test_recording_and_losses_are_never_left_out() -> None:
    seen = view(kit.settled())
    seen = replace(seen, recording="x.jsonl", session=structs.replace(seen.session, dropped=12))
    assert "● REC" in lines(status.paint_status(seen, 60, 1))[0]
    assert "dropped 12" in lines(status.paint_status(seen, 80, 1))[0]


def test_the_status_line_tells_what_is_worth_knowing_of_the_lab() -> None:
    seen = replace(view(kit.settled()), recording="/somewhere/x.jsonl", recorded=2_400_000, alarms=2, late=7)
    text = lines(status.paint_status(seen, 200, 1))[0]
    for words in ("x.jsonl 2.3 MiB", "run 1", "PostgreSQL 18.1  embedded", "tap +38 µs  p95 91 µs", "7 late frames"):
        assert words in text
    narrow = lines(status.paint_status(seen, 60, 1))[0]
    assert "! 2 in the log" in narrow
    assert "● REC" in narrow
    assert "/somewhere" not in text


def test_a_run_that_was_aborted_says_so_however_narrow_it_is() -> None:
    told = (
        Told()
        .ready()
        .fired(kit.settings())
        .emit(ev.RunEnded, 20 * kit.SECOND, run=1, outcome="aborted", detail="it died")
    )
    assert "aborted: it died" in lines(status.paint_status(view(told.events), 60, 1))[0]


def test_the_status_line_tells_a_session_that_listens_and_a_lab_that_died() -> None:
    assert "LISTENING" in lines(status.paint_status(replace(view(kit.ready()), listening=True), 80, 1))[0]
    told = Told().ready().emit(ev.ChildDied, 15 * kit.SECOND, "app", child="lab", pid=1, status="SIGKILL")
    assert "lab died: SIGKILL, restarting" in lines(status.paint_status(view(told.events), 80, 1))[0]


def test_a_loop_that_is_late_stays_in_a_narrow_line() -> None:
    told = Told().ready().emit(ev.LoopLag, 15 * kit.SECOND, lag_ns=2 * status.LAG_NS)
    assert "lag 10 ms" in lines(status.paint_status(view(told.events), 60, 1))[0]
    assert "lag" not in lines(status.paint_status(view(kit.ready()), 60, 1))[0]


def test_a_replay_says_how_fast_and_where() -> None:
    seen = replace(
        view(kit.settled()), mode="replay", playback=Playback(False, "1/100", 90_000_000_000, 91_000_000_000)
    )
    text = lines(status.paint_status(seen, 120, 1))[0]
    assert "REPLAY" in text
    assert "‖ 1/100" in text
    assert "key +1.0 s" in text


def test_the_footer_keeps_the_weightiest_keys() -> None:
    hints = [Hint("a", "all", "a", 9), Hint("b", "both", "b", 1), Hint("?", "help", "?", 8)]
    assert [each.keys for _, _, each in status.shown_hints(hints, 80)] == ["a", "b", "?"]
    assert [each.keys for _, _, each in status.shown_hints(hints, 16)] == ["a", "?"]


@pytest.mark.parametrize("columns", range(10, 200, 9))
def test_the_footer_fits(columns: int) -> None:
    hints = [hint(action) for action in actions("live") if action.weight]
    assert all(end <= columns for _, end, _ in status.shown_hints(hints, columns))


def test_help_has_every_key_of_the_table() -> None:
    for mode in ("live", "replay"):
        text = "\n".join("".join(part for part, _ in line) for line in help_lines(mode))
        assert all(action.shown in text and action.help in text for action in actions(mode))


def test_no_two_actions_of_a_place_share_a_key_or_a_name() -> None:
    for place in get_args(Place):
        keys = [key for action in actions(place) for key in action.keys.split(",")]
        assert keys
        assert len(keys) == len(set(keys))
        names = [action.name for action in actions(place)]
        assert len(names) == len(set(names))
    assert {place for action in ACTIONS for place in action.places} == set(get_args(Place))


def test_the_help_has_the_keys_of_every_dialog() -> None:
    for mode, dialogs in DIALOGS.items():
        text = "\n".join("".join(part for part, _ in line) for line in help_lines(mode))
        assert all(action.help in text for place in dialogs for action in actions(place))


# --- before the first run, evidence, log --------------------------------------------------------------


def test_each_part_says_how_far_it_is() -> None:
    seen = view(Told().starting("servers").events)
    canvas = starting.paint_starting(seen, 80, 20)
    text = "\n".join(lines(canvas))
    assert "● servers      ready" in text
    assert "◌ postgresql   starting" in text
    assert "○ tap          waiting" in text
    assert "The lab is starting" in text


def test_a_ready_lab_says_what_to_press() -> None:
    text = "\n".join(lines(starting.paint_starting(view(kit.ready()), 80, 20)))
    assert "Press enter to start a run, then c to cancel it" in text


def test_a_part_that_failed_says_why() -> None:
    told = Told().starting()
    told.emit(ev.Progress, told.zero, part="postgresql", state="failed", detail="no PostgreSQL here: use --pg DSN")
    canvas = starting.paint_starting(view(told.events), 80, 20)
    assert role_of(canvas, "postgresql failed: no PostgreSQL here") is Role.ALERT


def test_a_run_that_was_not_started_says_why() -> None:
    told = Told().ready()
    told.emit(ev.RunEnded, told.zero, run=1, outcome="aborted", detail="there is no lab")
    text = "\n".join(lines(starting.paint_starting(view(told.events), 80, 20)))
    assert "run 1 was not started: there is no lab" in text


def test_evidence_that_is_one_cell_too_wide_is_broken() -> None:
    sheet = evidence.Sheet(evidence.TEXT + 9, 4)
    sheet.write("123456789", Role.TEXT)
    assert [line[evidence.TEXT :] for line in lines(sheet)[1:3]] == ["12345678", "9"]


def test_evidence_is_complete_however_narrow() -> None:
    seen = view(kit.settled())
    for columns in (78, 114):
        canvas = evidence.paint_evidence(seen, columns, evidence.height(seen, columns))
        text = " ".join(line[evidence.TEXT :].strip() for line in lines(canvas))
        assert "stream 1 closed by RST_STREAM CANCEL(8); connection kept" in text
    assert role_of(canvas, "610 µs") is Role.INTERRUPT
    assert "± 20 µs" in "\n".join(lines(canvas))


def test_marks_nearer_than_the_tap_costs_are_a_tie() -> None:
    canvas = evidence.paint_evidence(view(kit.settled(), selected=3), 114, 20)
    assert "≈2.7 ms" in "\n".join(lines(canvas))
    grpc = "\n".join(lines(evidence.paint_evidence(view(kit.settled()), 114, 20)))
    assert "≈" not in grpc, "what one process says is in order, however close"


def test_what_is_only_claimed_is_called_so() -> None:
    canvas = evidence.paint_evidence(view(kit.settled(), selected=2), 114, 20)
    assert "◇ 110 µs" in "\n".join(lines(canvas))
    assert "only claimed: CancelledError" in "\n".join(lines(canvas))


def test_every_verdict_has_a_look() -> None:
    assert set(scoreboard.VERDICTS) == set(WORDS)
