"""How a handler lives with being cancelled: one table, name -> behaviour, for gRPC and HTTP alike.

A behaviour decides at three places, and the servers ask nothing else of it:

* ``run``: how the work is awaited (as it is; shielded; in a task of its own);
* ``sleep``: how the handler waits between two writes (on the loop; in a thread; blocking; deaf to a cancel);
* ``cleanup``: what its ``finally`` has to do. It is carried out in a shield, so it completes.

A client names one, with an argument after a colon where it takes one: ``slow-cleanup:0.5``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Work = Callable[[], Coroutine[Any, Any, str]]
"""A handler's work; returns a few words that say what was done."""

LONGEST_S = 3600.0
SLOW_CLEANUP_S = 0.3


class UnknownBehaviour(ValueError):
    """The text says what would be right."""


class Behaviour:
    """Cooperative: it hears of a cancel at the await where it is, and leaves at once."""

    async def run(self, work: Work) -> str:
        return await work()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def cleanup(self) -> Coroutine[Any, Any, None] | None:
        """What the ``finally`` has to do, not yet started; None: nothing that takes time."""
        return None


class SlowCleanup(Behaviour):
    """It leaves at once as well, and then takes ``seconds`` to tidy up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def cleanup(self) -> Coroutine[Any, Any, None] | None:
        return asyncio.sleep(self.seconds)


def _cooperative(argument: str) -> Behaviour:
    if argument:
        raise UnknownBehaviour("cooperative takes no argument")
    return Behaviour()


def _slow_cleanup(argument: str) -> Behaviour:
    try:
        seconds = float(argument) if argument else SLOW_CLEANUP_S
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_S:
        raise UnknownBehaviour(
            f"slow-cleanup takes seconds from 0 to {LONGEST_S:g}, like slow-cleanup:0.5, not {argument[:40]!r}"
        )
    return SlowCleanup(seconds)


BEHAVIOURS: dict[str, Callable[[str], Behaviour]] = {
    "cooperative": _cooperative,
    "slow-cleanup": _slow_cleanup,
}
"""Name -> what makes one from its argument (empty where none was given). The default is the first."""


def make_behaviour(text: str) -> Behaviour:
    """The behaviour that a client asks for; the first of the table for an empty ``text``. Raises UnknownBehaviour."""
    name, _, argument = text.partition(":")
    factory = BEHAVIOURS.get(name or next(iter(BEHAVIOURS)))
    if factory is None:
        raise UnknownBehaviour(f"unknown behaviour {name[:40]!r}: {', '.join(BEHAVIOURS)} are known")
    return factory(argument)
