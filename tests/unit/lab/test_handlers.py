"""What the lab counts of the servers process: handlers, and what outlives them."""

from __future__ import annotations

import asyncio

import pytest

from app.lab.handlers import Handlers
from probes.events import Layer
from probes.sink import Sink
from probes.span import Span
from probes.tap.seen import Tag

RUN = 3


class Servers:
    """Spans as the servers process opens them; ``handlers`` is told of all that they say."""

    def __init__(self) -> None:
        self.handlers = Handlers()
        self._sink = Sink("servers", lambda event, _line: self.handlers.observe(event))

    def open(self, layer: Layer, name: str, lane: str = "grpc") -> Span:
        return Span(self._sink, run=RUN, lane=lane, layer=layer, name=name)


@pytest.fixture
def servers() -> Servers:
    return Servers()


async def over(waiting: asyncio.Task[None]) -> bool:
    """Whether it ends now that everything has been said."""
    for _ in range(3):
        await asyncio.sleep(0)
    return waiting.done()


async def test_what_outlives_its_handler_is_named_and_waited_for(servers: Servers) -> None:
    handler, thread = servers.open("server", "handler"), servers.open("resource", "thread")
    works = [servers.open("resource", "shielded task") for _ in range(2)]
    assert servers.handlers.left(RUN, "grpc") == {"handlers": 1, "threads": 1, "shielded tasks": 2}
    gone = asyncio.get_running_loop().create_task(servers.handlers.gone(RUN, "grpc"))
    handler.cancelled(asyncio.CancelledError())
    handler.cleaned_up("finally ran")
    works[0].cleaned_up("done")
    assert servers.handlers.left(RUN, "grpc") == {"threads": 1, "shielded tasks": 1}
    works[1].cleaned_up("done")
    assert not await over(gone)
    thread.cleaned_up("ended")
    assert await over(gone)
    assert servers.handlers.left(RUN, "grpc") == {}


async def test_only_a_handler_has_entered(servers: Servers) -> None:
    entered = asyncio.get_running_loop().create_task(servers.handlers.entered(RUN, "grpc"))
    servers.open("resource", "thread")
    servers.open("server", "handler", lane="other")
    assert not await over(entered)
    servers.open("server", "handler")
    assert await over(entered)


def test_a_hops_own_resource_is_its_clients_business(servers: Servers) -> None:
    servers.open("client", "call")
    servers.open("resource", "connection")
    assert servers.handlers.left(RUN, "grpc") == {}


@pytest.mark.parametrize(("whose", "other"), [(None, {}), (Tag(RUN, "grpc"), {"handlers": 1})])
def test_a_death_ends_all_that_its_process_ran(servers: Servers, whose: Tag | None, other: dict[str, int]) -> None:
    servers.open("resource", "thread")
    servers.open("server", "handler", lane="other")
    servers.handlers.clear(whose)
    assert servers.handlers.left(RUN, "grpc") == {}
    assert servers.handlers.left(RUN, "other") == other


async def test_a_handler_that_has_come_and_gone_was_met(servers: Servers) -> None:
    met = asyncio.get_running_loop().create_task(servers.handlers.met(RUN, "grpc"))
    servers.open("resource", "thread")
    servers.open("server", "handler", lane="other")
    assert not await over(met)
    handler = servers.open("server", "handler")
    assert await over(met)
    handler.completed()
    handler.cleaned_up()
    await servers.handlers.met(RUN, "grpc")
    later = asyncio.get_running_loop().create_task(servers.handlers.met(RUN + 1, "grpc"))
    assert not await over(later)
    # From a process that is dead nothing more is to come.
    servers.handlers.clear(Tag(RUN + 1, "other"))
    assert await over(later)
