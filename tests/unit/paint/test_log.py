"""The log: whose lines are seen, where it stands, what is called bad, and that nothing in it is obeyed."""

from __future__ import annotations

import pytest

from app.frames import FrameCount
from app.logpane import Ear, Pane, Said, is_bad
from app.paint.canvas import Role
from app.paint.log import log_lines, paint_log, title
from tests.kit import console_kit as kit

SECOND = kit.SECOND
LOG: list[Said] = [
    (SECOND, "lab", "ready"),
    (SECOND * 5 // 2, "servers", "a\x1b[2Jb"),
    (3 * SECOND, "lab", "died: SIGKILL"),
]


def rows(pane: Pane, columns: int = 80, high: int = 8) -> list[str]:
    canvas = paint_log(pane, [], columns, high)
    return [canvas.text(y).rstrip() for y in range(high)]


def test_control_characters_are_shown_and_what_is_bad_is_marked_without_colour() -> None:
    assert rows(Pane(LOG))[:5] == [
        " [all 3]  lab 2   servers 1",
        "",
        "    0.000 s   lab          ready",
        "    1.500 s   servers      a\\x1b[2Jb",
        "    2.000 s ! lab          died: SIGKILL",
    ]


def test_one_speaker_alone() -> None:
    pane = Pane(LOG).turned(1)
    assert rows(pane)[0] == "  all 3  [lab 2]  servers 1"
    assert [text for _, _, text in pane.lines] == ["ready", "died: SIGKILL"]
    assert pane.turned(2).who == ""
    assert pane.turned(-1).who == ""


def test_a_long_line_is_whole() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    text = " ".join("".join(part for part, _ in line[-1:]) for line in log_lines(Pane([(0, "lab", words)]), 60))
    assert text.split() == words.split()


def test_it_follows_until_it_is_scrolled_and_again_from_the_end_on() -> None:
    pane = Pane([(t, "lab", str(t)) for t in range(20)])
    assert title(pane, 80, 8)[1] == "follows"
    up = pane.scrolled(-1, 20, 4)
    assert up.top == 15
    assert title(up, 80, 8) == ("log", "16 to 19 of 20, end follows")
    assert up.scrolled(-100, 20, 4).top == 0
    assert up.scrolled(1, 20, 4).top is None


def test_an_empty_log_says_so() -> None:
    assert "nothing was said yet" in rows(Pane())[2]


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("died: SIGKILL", True),
        ("FATAL:  the database system is shutting down", True),
        ("run 3 is still open: run 4 was not started", True),
        ("ERROR:  canceling statement due to user request", False),
        ("database system is ready to accept connections", False),
        ("ready 18.4 in 98 ms, cached", False),
    ],
)
def test_what_is_bad(text: str, bad: bool) -> None:
    assert is_bad(text) is bad
    line = log_lines(Pane([(0, "lab", text)]), 100)[0]
    assert line[-1] == (text, Role.ALERT if bad else Role.TEXT)


def test_bad_lines_are_counted_until_somebody_looks() -> None:
    ear, log = Ear(), tuple(LOG)
    assert [ear.listen(log), ear.listen(log)] == [1, 1]
    ear.looked()
    assert ear.listen(log) == 0
    assert ear.listen((*log[1:], (9, "lab", "failed"))) == 1


def test_frames_that_were_not_drawn_are_counted_and_rest_is_none() -> None:
    times = iter((0, 33, 66, 100, 200, 9_000, 9_033))
    frames = FrameCount(33, lambda: next(times))
    for _ in range(5):
        frames.drawn()
    assert frames.skipped == 2
    frames.rest()
    frames.drawn()
    frames.drawn()
    assert frames.skipped == 2
