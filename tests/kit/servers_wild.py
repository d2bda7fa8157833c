"""The servers process with behaviours that no scenario has yet: what a handler can do wrong, and more of it.

``python -P -m tests.kit.servers_wild``. That these fit into the table is part of what is tested.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable

from servers.__main__ import main
from servers.behaviours import BEHAVIOURS, Behaviour, Work


class CancelsItself(Behaviour):
    """A CancelledError that nobody sent: something that the handler awaits was cancelled."""

    async def sleep(self, seconds: float) -> None:
        nobody = asyncio.get_running_loop().create_future()
        nobody.cancel()
        await nobody


class Raises(Behaviour):
    async def sleep(self, seconds: float) -> None:
        raise ValueError("no such luck")


class Deaf(Behaviour):
    """Swallows each cancel and goes on."""

    async def sleep(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(seconds)


class Shielded(Behaviour):
    """Its work runs on in a task of its own."""

    async def run(self, work: Work) -> str:
        return await asyncio.shield(asyncio.get_running_loop().create_task(work()))


class Blocking(Behaviour):
    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - that is the point


def _plain(kind: Callable[[], Behaviour]) -> Callable[[str], Behaviour]:
    return lambda argument: kind()


BEHAVIOURS.update(
    {
        "cancels-itself": _plain(CancelsItself),
        "raises": _plain(Raises),
        "deaf": _plain(Deaf),
        "shielded": _plain(Shielded),
        "blocking": _plain(Blocking),
    }
)

if __name__ == "__main__":
    sys.exit(main())
