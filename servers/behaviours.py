"""How a handler lives with being cancelled: one table, name -> behaviour, for gRPC and HTTP alike.

A behaviour decides at three places, and the servers ask nothing else of it:

* ``run``: how the work is awaited (as it is; shielded; in a task of its own);
* ``sleep``: how the handler waits between two writes (on the loop; in a thread; blocking);
* ``cleanup``: what its ``finally`` has to do. It is carried out in a shield, so it completes.

What it does that nobody else could see, it says on its ``Stage``: a cancel that it swallowed, a thread or a task that
outlives the handler. A client names one, with an argument after a colon where it takes one: ``slow-cleanup:0.5``.
"""

from __future__ import annotations

import asyncio
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from itertools import repeat
from typing import Any, NamedTuple, Protocol, TypeVar

from probes.clock import Stamp
from servers.worker import Worker

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, str]]
"""A handler's work; returns a few words that say what was done."""

LONGEST_S = 3600.0
SHORTEST_STEP_S = 0.001
MOST_SWALLOWED = 1000
SLOW_CLEANUP_S = 0.3


class UnknownBehaviour(ValueError):
    """The text says what would be right."""


class Hold(Protocol):
    """Something that may outlive the handler. Until it is released the handler counts as running."""

    def release(self, evidence: str, at: Stamp | None = None) -> None: ...


class Stage(Protocol):
    """A handler, as its behaviour sees it."""

    def start(self, coro: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        """Start a task. It must not raise: whoever waits for it may have gone."""

    def hold(self, name: str, evidence: str) -> Hold:
        """A resource that may outlive the handler begins, and is told as a span of the resource layer."""

    def swallowed(self, error: BaseException, why: str = "") -> None:
        """A cancel came out of the handler's await, and the handler goes on."""

    def denied(self, error: BaseException) -> str:
        """What its server's own question says, where that denies what this exception tells: that the client is gone."""

    def explain(self, error: BaseException) -> str:
        """At which await the work is, and how it was told."""

    def now(self) -> Stamp: ...


class Behaviour:
    """Cooperative: it hears of a cancel at the await where it is, and leaves at once."""

    async def run(self, stage: Stage, work: Work) -> str:
        del stage
        return await work()

    async def sleep(self, stage: Stage, seconds: float) -> None:
        del stage
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


class Blocking(Behaviour):
    """It blocks the loop while it waits, and with it every other handler: in steps of ``step`` seconds with one turn of
    the loop between them, or (0) in one piece. A cancel is heard in these turns and nowhere else."""

    def __init__(self, step: float) -> None:
        self.step = step

    async def sleep(self, stage: Stage, seconds: float) -> None:
        for piece in _pieces(seconds, self.step):
            # What was written goes out in this turn.
            await asyncio.sleep(0)
            time.sleep(piece)  # noqa: ASYNC251 - that is the point


class Executor(Behaviour):
    """It waits in a thread, in steps of ``step`` seconds (0: in one piece). The handler leaves at once when it is told;
    its thread finishes the step that it is in, because nobody can interrupt it."""

    def __init__(self, step: float) -> None:
        self.step = step
        self._worker: Worker | None = None

    async def run(self, stage: Stage, work: Work) -> str:
        try:
            return await work()
        finally:
            if self._worker is not None:
                self._worker.finish()

    async def sleep(self, stage: Stage, seconds: float) -> None:
        if self._worker is None:
            self._worker = Worker(stage.hold("thread", "the handler's waits").release, stage.now)
        for piece in _pieces(seconds, self.step):
            await self._worker.sleep(piece)


class _Done(NamedTuple):
    """How work ended that ran in a task of its own."""

    words: str = ""
    error: BaseException | None = None

    def result(self) -> str:
        if self.error is not None:
            raise self.error
        return self.words


class OwnTask(Behaviour):
    """The work is done in a task of its own. The handler's task only waits for it, and a cancel reaches nobody else."""

    async def run(self, stage: Stage, work: Work) -> str:
        task = stage.start(self._carry_out(stage, work), "work")
        await self.wait_for(stage, task)
        return task.result().result()

    @abstractmethod
    async def wait_for(self, stage: Stage, task: asyncio.Task[_Done]) -> None:
        """Return when ``task`` is done."""

    async def _carry_out(self, stage: Stage, work: Work) -> _Done:
        del stage
        try:
            return _Done(await work())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is raised where the handler waits
            return _Done(error=error)


class Swallow(OwnTask):
    """It swallows the first ``cancels`` cancels and works on as if nothing had been; the next one it obeys."""

    def __init__(self, cancels: float) -> None:
        self.cancels = cancels

    async def wait_for(self, stage: Stage, task: asyncio.Task[_Done]) -> None:
        left = self.cancels
        while not task.done():
            try:
                # Unlike an await of the task itself, this hands no cancel on to it.
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                if left < 1:
                    task.cancel()
                else:
                    left -= 1
                    stage.swallowed(error)


class AsksContext(OwnTask):
    """It asks its context whether the client is gone, and works on where that says no, whatever it was told."""

    async def wait_for(self, stage: Stage, task: asyncio.Task[_Done]) -> None:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                if denied := stage.denied(error):
                    stage.swallowed(error, denied)
                else:
                    task.cancel()


class Shielded(OwnTask):
    """Its work stands in an ``asyncio.shield``: the handler is told and leaves at once, the work goes on to its end."""

    async def wait_for(self, stage: Stage, task: asyncio.Task[_Done]) -> None:
        await asyncio.shield(task)

    async def _carry_out(self, stage: Stage, work: Work) -> _Done:
        hold = stage.hold("shielded task", "asyncio.shield")
        done = await super()._carry_out(stage, work)
        error = done.error
        hold.release(done.words if error is None else f"{type(error).__name__} {stage.explain(error)}")
        return done


def _pieces(seconds: float, step: float) -> Iterator[float]:
    """``seconds`` in whole steps, at least one where there is anything to wait for; in one piece for a step of 0."""
    if not step or not seconds:
        return repeat(seconds, 1)
    return repeat(step, max(1, math.ceil(seconds / step)))


# --- the table ----------------------------------------------------------------------------------------


def _plain(name: str, kind: Callable[[], Behaviour]) -> Callable[[str], Behaviour]:
    def make(argument: str) -> Behaviour:
        if argument:
            raise UnknownBehaviour(f"{name} takes no argument")
        return kind()

    return make


def _seconds(name: str, kind: Callable[[float], Behaviour], default: float, low: float) -> Callable[[str], Behaviour]:
    def make(argument: str) -> Behaviour:
        seconds = _number(float, argument) if argument else default
        # Not "seconds < low": a NaN is smaller than nothing.
        if argument and not low <= seconds <= LONGEST_S:
            right = f"seconds from {low:g} to {LONGEST_S:g}, like {name}:0.5"
            raise UnknownBehaviour(f"{name} takes {right}, not {argument[:40]!r}")
        return kind(seconds)

    return make


def _swallow(argument: str) -> Behaviour:
    cancels = _number(int, argument) if argument else 1
    if not 1 <= cancels <= MOST_SWALLOWED:
        right = f"a whole number of cancels from 1 to {MOST_SWALLOWED}, like swallow:2"
        raise UnknownBehaviour(f"swallow takes {right}, not {argument[:40]!r}")
    return Swallow(cancels)


def _number(kind: type[int] | type[float], text: str) -> float:
    try:
        return kind(text)
    except ValueError:
        return math.nan


BEHAVIOURS: dict[str, Callable[[str], Behaviour]] = {
    "cooperative": _plain("cooperative", Behaviour),
    "slow-cleanup": _seconds("slow-cleanup", SlowCleanup, SLOW_CLEANUP_S, 0),
    "swallow": _swallow,
    "blocking": _seconds("blocking", Blocking, 0, SHORTEST_STEP_S),
    "executor": _seconds("executor", Executor, 0, SHORTEST_STEP_S),
    "shielded": _plain("shielded", Shielded),
    "asks-context": _plain("asks-context", AsksContext),
    "writes-only": _plain("writes-only", lambda: Swallow(math.inf)),
}
"""Name -> what makes one from its argument (empty where none was given). The default is the first. ``writes-only`` is
what an ASGI application is that never asks for ``http.disconnect``: only a write that fails ends it."""


def make_behaviour(text: str) -> Behaviour:
    """The behaviour that a client asks for; the first of the table for an empty ``text``. Raises UnknownBehaviour."""
    name, _, argument = text.partition(":")
    factory = BEHAVIOURS.get(name or next(iter(BEHAVIOURS)))
    if factory is None:
        raise UnknownBehaviour(f"unknown behaviour {name[:40]!r}: {', '.join(BEHAVIOURS)} are known")
    return factory(argument)
