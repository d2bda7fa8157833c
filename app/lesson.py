"""What a trainer asks and says about a scenario, as its file has it under ``[teach]``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lesson:
    """``answer``: the number of the right choice, from 0; None where nothing is asked. ``notes``: the presenter's."""

    question: str = ""
    choices: tuple[str, ...] = ()
    answer: int | None = None
    explanation: str = ""
    notes: str = ""
    link: str = ""
    claim: str = ""
    verdict: str = ""

    def __bool__(self) -> bool:
        return bool(self.question or self.explanation or self.notes or self.link or self.claim)


NOTHING = Lesson()
