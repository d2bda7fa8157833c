"""``[teach]``: what a trainer asks and says about a scenario."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from app.lesson import Lesson
from app.scenario.fields import Misfit, Strict

_LINK = re.compile(r"https?://[^\s]+")


class Teach(Strict):
    """The ``[teach]`` table."""

    question: str = ""
    """What to ask before the wire is shown."""
    choices: list[str] = Field(default_factory=list, max_length=9)
    """Two to nine answers."""
    answer: int | None = Field(default=None, ge=0)
    """The number of the right one, from 0."""
    explanation: str = ""
    """Why it is right."""
    notes: str = ""
    """The presenter's own."""
    link: str = ""
    """The issue or the document that it is about."""
    claim: str = ""
    """What is said about cancellation, and measured here."""
    verdict: Literal["true", "false", "imprecise"] | None = None
    """What the measurement says of the claim, in Python."""

    @model_validator(mode="after")
    def _fits(self) -> Teach:
        asked = bool(self.question)
        if asked and len(self.choices) < 2:
            raise Misfit('a question needs choices: write choices = ["...", "..."]', "question")
        if asked and self.answer is None:
            raise Misfit("a question needs its answer: write answer = 0 for the first choice", "question")
        if not asked and (self.choices or self.answer is not None):
            raise Misfit("choices and answer belong to a question, and there is none", "choices")
        if self.answer is not None and self.answer >= len(self.choices):
            raise Misfit(f"answer counts from 0: the last choice is {len(self.choices) - 1}", "answer")
        if self.link and not _LINK.fullmatch(self.link):
            raise Misfit("a link is an address that begins with https://", "link")
        if bool(self.claim) is not (self.verdict is not None):
            raise Misfit('a claim and its verdict belong together: write verdict = "false"', self._half)
        return self

    @property
    def _half(self) -> str:
        return "claim" if self.claim else "verdict"

    def to_lesson(self) -> Lesson:
        """The same for the console, which reads no scenario file to show it."""
        return Lesson(
            question=self.question,
            choices=tuple(self.choices),
            answer=self.answer,
            explanation=self.explanation,
            notes=self.notes,
            link=self.link,
            claim=self.claim,
            verdict=self.verdict or "",
        )

    @property
    def right(self) -> str:
        """The right choice's words; empty where nothing is asked."""
        return "" if self.answer is None else self.choices[self.answer]
