"""The servers process with two behaviours more: handlers that fail by themselves.

``python -P -m tests.kit.servers_wild``. That these fit into the table is part of what is tested.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from servers.__main__ import main
from servers.behaviours import BEHAVIOURS, Behaviour, Stage


class CancelsItself(Behaviour):
    """A CancelledError that nobody sent: something that the handler awaits was cancelled."""

    async def sleep(self, stage: Stage, seconds: float) -> None:
        nobody = asyncio.get_running_loop().create_future()
        nobody.cancel()
        await nobody


class Raises(Behaviour):
    async def sleep(self, stage: Stage, seconds: float) -> None:
        raise ValueError("no such luck")


def _plain(kind: Callable[[], Behaviour]) -> Callable[[str], Behaviour]:
    return lambda argument: kind()


BEHAVIOURS.update(
    {
        "cancels-itself": _plain(CancelsItself),
        "raises": _plain(Raises),
    }
)

if __name__ == "__main__":
    sys.exit(main())
