"""Tasks that are kept: none is lost to the garbage collector, and no exception goes unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class TaskKeeper:
    """Starts tasks, holds them until they end, and reports what they raise to ``on_error``."""

    def __init__(self, on_error: Callable[[str, BaseException], None]) -> None:
        self._on_error = on_error
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coro: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start ``coro`` as a task of the running loop."""
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def __len__(self) -> int:
        return len(self._tasks)

    async def close(self, timeout: float = 2.0) -> None:
        """Cancel what still runs and wait for it, at most ``timeout`` seconds."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.report(task.get_name(), error)

    def report(self, name: str, error: BaseException) -> None:
        """Say that ``name`` failed, where a task that failed would be said."""
        self._on_error(name, error)


async def undisturbed(task: asyncio.Task[Any]) -> None:
    """Wait for the end of ``task`` however often the waiting task is cancelled; such a cancel is raised afterwards."""
    cancel: asyncio.CancelledError | None = None
    while not task.done():
        try:
            # Unlike an await of the task itself, this hands no cancel on to it.
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancel = error
    if cancel is not None:
        raise cancel
