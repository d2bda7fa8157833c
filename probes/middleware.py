"""Links between a caller and its client: what a cancel and a deadline become on their way through other people's code.

A chain is a list of links, the outermost first. Each handles one awaited step (a request, a statement) or a stream of
them, and says what it did to the signal that came through it:

* ``pass``: hands everything on, as good middleware does: **passed**.
* ``shield``: awaits in ``asyncio.shield``: the caller is told, the work inside is not: **died**.
* ``swallow``: catches the cancel and gives an answer instead: inside it arrived, outside it is gone: **died**.
* ``add-timeout:250ms``: a limit of its own: a signal that nobody outside has sent: **grew**.
* ``drop-deadline``: hands the call on without its caller's deadline: **weakened**.
* ``independent``: hands the work to a task of its own, without deadline: neither reaches it: **died**.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

from probes.units import parse_duration, seconds_text

T = TypeVar("T")

Effect = Literal["passed", "weakened", "died", "grew"]
Step = Callable[[], Awaitable[T]]
Deadlines = Mapping[str, float | None]
"""Seconds by the deadline's name; None where it is off."""
Say = Callable[[int, str, Effect, str, float | None], None]
"""(link's number from 1, its name, what became of the signal, by what, when it was due on the loop's clock: of a signal
that grew there, else None)."""


class LinkError(ValueError):
    """No such link; the text says which there are."""


class Link:
    """``pass``. ``number``: its place in the chain, from 1, the outermost first."""

    detaches = False
    """Whether the work inside may go on after its caller has left."""

    def __init__(self, number: int, name: str, say: Say) -> None:
        self.number, self.name, self._tell = number, name, say

    async def around(self, step: Step[T], fallback: Callable[[], T]) -> T:
        """Await ``step``. ``fallback`` makes an answer for links that give one of their own."""
        del fallback
        try:
            return await step()
        except asyncio.CancelledError:
            self._say("passed", "CancelledError raised on")
            raise

    async def stream(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        """Hand the items of ``source`` on."""
        try:
            async for item in source:
                yield item
        except asyncio.CancelledError:
            self._say("passed", "CancelledError raised on")
            raise

    def budget(self, seconds: float | None) -> float | None:
        """The deadline that the call is handed on with."""
        return self.deadlines({"deadline": seconds})["deadline"]

    def deadlines(self, named: Deadlines) -> Deadlines:
        """The same for a client that has several."""
        return named

    @property
    def busy(self) -> bool:
        """Whether something runs that it let run on."""
        return False

    def leave(self) -> None:
        """Tell whoever reads a stream here that it is over for them: cancelled, and not by their task."""

    async def idle(self) -> None:
        """Return when nothing runs on that it let run on."""

    async def close(self) -> None:
        """End what it let run on."""

    def _say(self, effect: Effect, evidence: str, when: float | None = None) -> None:
        self._tell(self.number, self.name, effect, evidence, when)

    def _drop(self, named: Deadlines) -> Deadlines:
        """Hand none of them on."""
        given = [f"{name} of {seconds_text(seconds)}" for name, seconds in named.items() if seconds is not None]
        if given:
            self._say("weakened", f"the {' and the '.join(given)} {'is' if len(given) == 1 else 'are'} not handed on")
        return dict.fromkeys(named)


_Item = tuple[Any] | BaseException | None
_Items = asyncio.Queue[_Item]
_LEFT = asyncio.CancelledError()
"""In a queue: its reader is cancelled, by no task."""


class Detached(Link):
    """What ``shield`` and ``independent`` share: the work inside runs in a task that a cancel outside leaves alone."""

    detaches = True
    reason = "asyncio.shield: the work inside goes on"

    def __init__(self, number: int, name: str, say: Say) -> None:
        super().__init__(number, name, say)
        self._inside: set[asyncio.Task[Any]] = set()
        self._queues: list[_Items] = []

    async def around(self, step: Step[T], fallback: Callable[[], T]) -> T:
        del fallback
        task = self._start(step)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                self._say("died", self.reason)
            raise

    async def stream(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        """A task of its own reads to the end, whoever listens; what it reads waits here."""
        items: _Items = asyncio.Queue()

        async def read() -> None:
            try:
                async for item in source:
                    items.put_nowait((item,))
            except BaseException as error:
                items.put_nowait(error)
                raise
            items.put_nowait(None)

        self._start(read)
        self._queues.append(items)
        while (found := await self._next(items)) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found[0]

    async def _next(self, items: _Items) -> _Item:
        try:
            if (found := await items.get()) is _LEFT:
                raise asyncio.CancelledError
        except asyncio.CancelledError:
            self._say("died", self.reason)
            raise
        return found

    def leave(self) -> None:
        for items in self._queues:
            items.put_nowait(_LEFT)

    @property
    def busy(self) -> bool:
        return bool(self._inside)

    async def idle(self) -> None:
        while self._inside:
            await asyncio.wait(self._inside)

    async def close(self) -> None:
        inside = list(self._inside)
        for task in inside:
            task.cancel()
        if inside:
            await asyncio.wait(inside)

    def _start(self, step: Step[T]) -> asyncio.Task[T]:
        async def run() -> T:
            # What is raised after its caller has left is nobody's error: the wire shows what became of the call.
            return await step()

        task = asyncio.get_running_loop().create_task(run(), name=f"inside link {self.number} {self.name}")
        self._inside.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._inside.discard(task)
        if not task.cancelled():
            task.exception()


class Independent(Detached):
    """As a task of its own, and without the caller's deadline."""

    reason = "a task of its own: nothing reaches the work inside"

    def deadlines(self, named: Deadlines) -> Deadlines:
        return self._drop(named)


class Swallow(Link):
    """Catches the cancel and answers as if nothing had happened."""

    async def around(self, step: Step[T], fallback: Callable[[], T]) -> T:
        try:
            return await step()
        except asyncio.CancelledError:
            self._say("died", "CancelledError caught: the caller gets an answer instead")
            return fallback()

    async def stream(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        try:
            async for item in source:
                yield item
        except asyncio.CancelledError:
            self._say("died", "CancelledError caught: to the caller the stream just ends")


class AddTimeout(Link):
    """A limit that its caller has not asked for."""

    def __init__(self, number: int, name: str, say: Say, seconds: float) -> None:
        super().__init__(number, name, say)
        self.seconds = seconds

    async def around(self, step: Step[T], fallback: Callable[[], T]) -> T:
        del fallback
        scope = asyncio.timeout(self.seconds)
        try:
            async with scope:
                return await step()
        except TimeoutError:
            self._expired(scope)
            raise
        except asyncio.CancelledError:
            self._say("passed", "CancelledError raised on")
            raise

    async def stream(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        deadline = asyncio.get_running_loop().time() + self.seconds
        while True:
            scope = asyncio.timeout_at(deadline)
            try:
                # Round each item and not round the loop: a scope may not stay open across a yield.
                async with scope:
                    item = await anext(source)
            except StopAsyncIteration:
                return
            except TimeoutError:
                self._expired(scope)
                raise
            except asyncio.CancelledError:
                self._say("passed", "CancelledError raised on")
                raise
            yield item

    def _expired(self, scope: asyncio.Timeout) -> None:
        if scope.expired():
            self._say("grew", f"its own limit of {seconds_text(self.seconds)} is over", scope.when())


class DropDeadline(Link):
    """Hands the call on without a deadline, as an interceptor does that builds the call's details anew."""

    def deadlines(self, named: Deadlines) -> Deadlines:
        return self._drop(named)


_KINDS: dict[str, type[Link]] = {
    "pass": Link,
    "shield": Detached,
    "swallow": Swallow,
    "add-timeout": AddTimeout,
    "drop-deadline": DropDeadline,
    "independent": Independent,
}


def make_link(number: int, text: str, say: Say) -> Link:
    """The link that ``text`` names, like ``add-timeout:250ms``. Raises LinkError."""
    name, _, argument = text.partition(":")
    kind = _KINDS.get(name)
    if kind is None:
        raise LinkError(f"unknown link {name!r}: {', '.join(_KINDS)} are known")
    if kind is AddTimeout:
        return AddTimeout(number, text, say, _limit(argument))
    if argument:
        raise LinkError(f"{name} takes no argument")
    return kind(number, name, say)


def _limit(argument: str) -> float:
    try:
        seconds = parse_duration(argument)
    except ValueError as error:
        raise LinkError(f"add-timeout takes a time, like add-timeout:250ms: {error}") from None
    if not seconds:
        raise LinkError("add-timeout takes a time above 0, like add-timeout:250ms")
    return seconds


class Chain:
    """All links of a lane. Without any it does nothing at all."""

    def __init__(self, texts: Sequence[str], say: Say) -> None:
        """Raises LinkError."""
        self.links = [make_link(number, text, say) for number, text in enumerate(texts, start=1)]

    def __bool__(self) -> bool:
        return bool(self.links)

    async def around(self, step: Step[T], fallback: Callable[[], T]) -> T:
        """Await ``step`` inside all links."""
        for link in reversed(self.links):
            step = _inside(link, step, fallback)
        return await step()

    def stream(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        """Read ``source`` through all links."""
        for link in reversed(self.links):
            source = link.stream(source)
        return source

    def budget(self, seconds: float | None) -> float | None:
        """The deadline that is left of the caller's when it reaches the client."""
        return self.deadlines({"deadline": seconds})["deadline"]

    def deadlines(self, named: Deadlines) -> Deadlines:
        """The same for a client that has several."""
        for link in self.links:
            named = link.deadlines(named)
        return named

    @property
    def detaches(self) -> bool:
        """Whether the work inside may go on after its caller has left."""
        return any(link.detaches for link in self.links)

    @property
    def busy(self) -> bool:
        """Whether work runs on that a link let run on."""
        return any(link.busy for link in self.links)

    async def idle(self) -> None:
        """Return when nothing runs on any more that links let run on."""
        for link in self.links:
            await link.idle()

    async def close(self) -> None:
        """End what links let run on."""
        for link in self.links:
            with suppress(asyncio.CancelledError):
                await link.close()


def _inside(link: Link, step: Step[T], fallback: Callable[[], T]) -> Step[T]:
    return lambda: link.around(step, fallback)
