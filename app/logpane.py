"""What the lab and its children said: whose lines are looked at, and from which one on. Values, changed by copying."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

Said = tuple[int, str, str]
"""(t in ns, who, text), as ``SessionState.log`` has it."""

_BAD = re.compile(
    r"^(died|failed)\b|\b(error|fatal|panic|traceback|exception|critical|warning|could not|cannot|no event)\b"
    r"|\bwas (cut|not started)\b",
    re.IGNORECASE,
)
_WANTED = "canceling statement due to user request"
"""What PostgreSQL logs as an error when somebody cancels: what the program is about."""


def is_bad(text: str) -> bool:
    """Whether a line that was said tells of something that should not be."""
    return _WANTED not in text and _BAD.search(text) is not None


class Ear:
    """How many bad lines were said since somebody last looked. Asked in every frame: it looks at new lines only."""

    def __init__(self) -> None:
        self._heard: Sequence[Said] = ()
        self.unread = 0

    def listen(self, log: Sequence[Said]) -> int:
        if log is not self._heard:
            known = {id(line) for line in self._heard}
            self.unread += sum(is_bad(line[2]) for line in log if id(line) not in known)
            self._heard = log
        return self.unread

    def looked(self) -> None:
        self.unread = 0


@dataclass(frozen=True, slots=True)
class Pane:
    """``who``: whose lines alone, empty: everybody's. ``top``: the first row that is seen; None: it follows the end."""

    log: Sequence[Said] = ()
    who: str = ""
    top: int | None = None

    @property
    def speakers(self) -> list[str]:
        """Everybody, then each by name in the order in which they first spoke."""
        return ["", *dict.fromkeys(who for _, who, _ in self.log)]

    @property
    def lines(self) -> list[Said]:
        return [line for line in self.log if self.who in ("", line[1])]

    def count(self, who: str) -> int:
        return sum(who in ("", each) for _, each, _ in self.log)

    def turned(self, by: int) -> Pane:
        """Another's lines, from the end."""
        speakers = self.speakers
        at = speakers.index(self.who) if self.who in speakers else 0
        return replace(self, who=speakers[(at + by) % len(speakers)], top=None)

    def scrolled(self, by: int, rows: int, room: int) -> Pane:
        """``by`` of ``rows`` rows further, ``room`` of which are seen; at the end it follows again."""
        last = max(0, rows - room)
        top = max(0, (last if self.top is None else min(self.top, last)) + by)
        return replace(self, top=None if top >= last else top)
