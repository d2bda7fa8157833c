"""What is taught: nothing is given away before its time, everything is there after it, in any width."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from app.lesson import NOTHING, Lesson
from app.paint.lesson import lesson_lines

LESSON = Lesson(
    question="On which server does the work go on, although all of their callers have got their exception by now?",
    choices=("on none", "behind HTTP/2"),
    answer=1,
    explanation="Nobody told it.\x1b[2J",
    notes="Ask first.",
    link="https://example.org/1",
    claim="A cancelled task stops its query.",
    verdict="imprecise",
)


def text(*, answered: bool = False, presenter: bool = False, columns: int = 60) -> list[str]:
    lines = lesson_lines(LESSON, columns, answered=answered, presenter=presenter)
    return ["".join(part for part, _ in line) for line in lines]


def test_before_the_run_only_the_question_and_its_choices() -> None:
    said = "\n".join(text())
    assert "A cancelled task stops its query." in said
    assert "    b  behind HTTP/2" in said
    for secret in ("▸", "imprecise", "Nobody told it", "example.org", "Ask first"):
        assert secret not in said


def test_after_it_the_answer_is_marked_and_explained() -> None:
    said = text(answered=True)
    assert "  ▸ b  behind HTTP/2" in said
    assert "    a  on none" in said
    assert "  this is imprecise" in said
    assert "  Nobody told it.\\x1b[2J" in said
    assert "Ask first" not in "\n".join(said)


def test_the_presenters_notes_are_told_on_demand_alone() -> None:
    assert "  Ask first." in text(presenter=True)
    assert "▸" not in "\n".join(text(presenter=True))


@pytest.mark.parametrize("columns", [20, 56, 88])
def test_every_line_fits(columns: int) -> None:
    *lines, _keys = text(answered=True, presenter=True, columns=columns)
    assert all(cell_len(line) <= columns for line in lines)


def test_a_scenario_without_one_teaches_nothing() -> None:
    assert not NOTHING
    assert LESSON
