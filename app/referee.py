"""Holds what came of each scenario against its expectations, and says it as soon as it is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from app.header import versions
from app.headless import Ran
from app.judgement import SKIPPED, Judgement, judge, total
from app.scenario import Loaded


class Referee:
    """``form``: ``table`` for people, ``json`` for one object a line. ``one``: all reasons are said, and no total."""

    def __init__(self, chosen: Sequence[Loaded], form: str, *, one: bool, say: Callable[[str], None]) -> None:
        self._chosen, self._form, self._one, self._say = chosen, form, one, say
        self._found: list[Judgement] = []
        self.aborted: set[str] = set()
        """Why runs were aborted, as it was said with their scenarios."""

    def take(self, number: int, ran: Ran) -> None:
        """What came of the scenario with this number."""
        loaded = self._chosen[number]
        self.aborted.update(ran.aborted)
        installed = {**versions(loaded.scenario.packages), **ran.versions}
        found = judge(loaded.name, loaded.scenario, ran.runs, ran.aborted, installed)
        if ran.skipped:
            found = Judgement(loaded.name, SKIPPED, 0, (ran.skipped,))
        self._found.append(found)
        if self._form == "json":
            self._say(json.dumps(found.as_json(), ensure_ascii=False))
        else:
            self._say("\n".join(found.lines() if self._one else [found.line()]))

    def end(self) -> None:
        """Nothing more comes."""
        if self._form == "table" and not self._one:
            self._say(total(self._found))

    @property
    def content(self) -> bool:
        """Every scenario that was taken is as expected."""
        return all(each.good for each in self._found)
