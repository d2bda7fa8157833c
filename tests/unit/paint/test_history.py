"""The history as strips: the list, the comparison, the small plots; and the scoreboard against another run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.actions import hints
from app.chronicle import Chronicle
from app.paint import evidence, history, scoreboard, timeline
from app.paint.canvas import Canvas, Role
from app.paint.strip import ends, paint_strip, scale
from app.paint.units import delta
from app.paint.view import View
from probes.fold import fold
from probes.history import Entry, LaneEntry
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told, view

US, MS = 1_000, 1_000_000


def lines(canvas: Canvas) -> list[str]:
    return [canvas.text(y).rstrip() for y in range(canvas.rows)]


def session(runs: int = 5) -> tuple[Entry, ...]:
    """Run n's gRPC is told after n times 100 us; HTTP/2 never says anything on the wire."""
    return tuple(
        Entry(
            run,
            "one-scope",
            "One scope",
            "key",
            "settled",
            (
                LaneEntry("grpc", "clean", (run * 100 * US, run * MS, 2 * run * MS)),
                LaneEntry("http/2", "zombie" if run > 1 else "clean", (100 * US, None, None), 900 * MS),
            ),
        )
        for run in range(1, runs + 1)
    )


def painted(chronicle: Chronicle, columns: int = 120, rows: int = 34) -> Canvas:
    return history.paint_history(chronicle, hints("history"), columns, rows)


def test_the_newest_run_stands_first_and_says_its_verdicts() -> None:
    text = lines(painted(Chronicle(session(), run=5, pinned=2)))
    assert text[1].split()[:3] == ["▌", "5", "one-scope"]
    assert text[1].split()[3:] == ["key", "1", "clean", "2", "zombie"]
    assert text[4].split()[:2] == ["2▪one-scope", "key"]


def test_a_run_against_the_one_before_and_all_that_are_alike() -> None:
    text = "\n".join(lines(painted(Chronicle(session(), run=4))))
    assert "run 4 One scope" in text
    assert "against run 3" in text
    assert "most of 5" in text
    done = next(line for line in text.splitlines() if "1 grpc" in line)
    assert done.split("Done")[1].split()[:8] == ["400", "µs", "+100", "µs", "300", "µs", "500", "µs"]


def test_a_verdict_that_changed_is_said() -> None:
    text = "\n".join(lines(painted(Chronicle(session(), run=2, lane=1))))
    assert "was clean" in text


def test_with_twenty_runs_there_is_a_percentile() -> None:
    assert "p95 of 20" in "\n".join(lines(painted(Chronicle(session(20)))))


@pytest.mark.parametrize(("columns", "rows"), [(76, 20), (96, 26), (118, 34), (122, 40), (20, 5), (3, 2)])
def test_it_fits_everywhere(columns: int, rows: int) -> None:
    canvas = painted(Chronicle(session(30), run=17, lane=1), columns, rows)
    assert (canvas.columns, canvas.rows) == (columns, rows)
    if columns > 70:
        text = "\n".join(lines(canvas))
        assert "17 one-scope" in text
        assert "1.7 ms" in text
        assert "median" in text


def test_without_a_run_it_says_so() -> None:
    assert "no run yet" in "\n".join(lines(painted(Chronicle(()))))


def test_bars_grow_with_the_logarithm() -> None:
    canvas = Canvas(5, 1)
    paint_strip(canvas, 0, 0, 5, 1, [10 * US, 100 * US, None, MS, 10 * MS], Role.DONE, at=1)
    assert canvas.text(0) == "▁▃·▆█"
    assert canvas.role(1, 0) is Role.STRONG
    assert canvas.role(0, 0) is Role.DONE
    assert ends([10 * US, 10 * MS]) == "10 µs to 10 ms"


def test_noise_is_no_mountain() -> None:
    low, high = scale([100, 101]) or (0, 0)
    assert high / low > 3.9
    assert scale([None]) is None
    assert ends([]) == ""


def test_deltas_in_words() -> None:
    assert delta(610 * US, 490 * US) == "+120 µs"
    assert delta(490 * US, 610 * US) == "-120 µs"
    assert delta(10, None) == "was never"
    assert delta(None, 10 * US) == "was 10 µs"
    assert delta(None, None) == ""


# --- on the main screen -------------------------------------------------------------------------------


def compared(*, pinned: bool = False) -> View:
    """Run 2 is slower by 100 us at gRPC's Done than run 1."""
    second = Told(2)
    second.fired(kit.settings()).cancelled().settled()
    run = fold(event for event in second.events if event.run)
    first = fold(event for event in kit.settled() if event.run)
    slower = kit.shifted(run, "grpc", 100 * US)
    return replace(view(kit.settled()), run=slower, reference=first, pinned=pinned)


def test_the_scoreboard_compares_the_selected_lane() -> None:
    board = lines(scoreboard.paint_scoreboard(compared(), 84, 6))
    assert board[5].split() == ["vs", "1", "before", "+100", "µs", "+100", "µs", "+100", "µs", "also", "clean"]
    assert "skew" not in "\n".join(board)
    assert scoreboard.title(compared(), 6)[1].startswith("skew Done")


def test_where_there_is_room_every_figure_has_its_difference() -> None:
    board = lines(scoreboard.paint_scoreboard(compared(pinned=True), 154, 8))
    assert "192 µs +100 µs" in board[1]
    assert "118 µs +0.0 µs" in board[2]
    assert board[5].startswith(" skew")
    assert board[6].startswith(" vs 1 pinned")


def test_the_evidence_says_whether_the_timers_did_as_was_said() -> None:
    plan = kit.settings().with_timeout("grpc", "deadline", 0.3)
    seen = view(kit.timed_out(plan), Told().zero + 10**8, plan=plan)
    assert "gRPC deadline; as said: deadline 300 ms" in "\n".join(lines(evidence.paint_evidence(seen, 114, 20)))


def test_the_pinned_runs_marks_stand_among_the_others() -> None:
    seen = compared(pinned=True)
    canvas = timeline.paint_timeline(seen, 120, 24)
    assert canvas.text(2).count("⋄") == 1, "gRPC's client, 100 us before its own mark"
    assert canvas.text(2).index("⋄") < canvas.text(2).index("◆")
    assert "▫" in canvas.text(3)
    assert not any("⋄" in line for line in lines(timeline.paint_timeline(compared(), 120, 24)))
    same = replace(seen, run=seen.reference)
    assert not any("⋄" in line for line in lines(timeline.paint_timeline(same, 120, 24))), "covered by its own marks"
