"""A framework's server beside our own: hypercorn, HTTP/1.1 and h2c on one port, with ``servers.http.asgi``.

ASGI gives an application no way to its connection, so what ends one is the server's doing: here hypercorn's transport
is asked to close or to abort, which is what happens to a framework's connections in a deployment or under ``ss -K``.
Nobody tells the handler but hypercorn.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from hypercorn.asyncio import serve
from hypercorn.config import Config

from servers.handler import Env
from servers.http.asgi import Application, Send
from servers.strikes import Blow, Missed, Strikes, reset

NAME = "hypercorn"
_LONG_S = 60.0
"""Longer than this process takes to end: hypercorn 0.18 fails noisily where it cancels a handler of HTTP/2."""


class HypercornServer:
    """Runs on the loop that is there, and stops when it is told to."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._application = Application(env, NAME, self._strikes)
        self._config = Config()
        # Its words go to stderr, and only what is wrong is worth any.
        self._config.loglevel = "ERROR"
        self._over = asyncio.Event()

    def start(self, host: str) -> int:
        """Listen on ``host``; the port. From here on clients can connect; they are served as soon as hypercorn runs."""
        listener = socket.create_server((host, 0))
        port: int = listener.getsockname()[1]
        # Hypercorn takes the descriptor over, and closes it.
        self._config.bind = [f"fd://{listener.detach()}"]
        application = cast(Any, self._application)
        serving = serve(application, self._config, shutdown_trigger=self._over.wait, mode="asgi")
        self._env.tasks.start(serving, name=NAME)
        return port

    def stop(self) -> None:
        """Take no more connections, and cancel every handler. Does not wait for handlers."""
        self._application.shutdown()
        self._shut_down(_LONG_S)

    def _strikes(self, send: Send) -> Strikes:
        return {
            "fin": lambda blow: self._end(send, blow, "server FIN", "close", lambda transport: transport.close()),
            "rst": lambda blow: self._end(send, blow, "server RST", "abort", reset),
            "stop": self._stop_for,
        }

    def _end(self, send: Send, blow: Blow, cause: str, how: str, end: Callable[[asyncio.Transport], None]) -> None:
        transport = _transport(send)
        if transport.is_closing():
            raise Missed("its connection is closed already")
        at = self._env.sink.clock.now()
        end(transport)
        blow.say(cause, f"hypercorn's transport.{how}", at)

    def _stop_for(self, blow: Blow) -> None:
        at = self._env.sink.clock.now()
        grace = blow.grace or 0
        self._shut_down(grace)
        blow.say("server stop", f"hypercorn shutdown, graceful_timeout {grace:g}", at)

    def _shut_down(self, grace: float) -> None:
        """Hypercorn's own way: handlers that have not ended in ``grace`` seconds are cancelled."""
        self._config.graceful_timeout = grace
        self._over.set()


_LAYERS = 4
"""From an application's ``send`` over a stream and a protocol to the connection there are fewer."""


def _transport(send: Send) -> asyncio.Transport:
    """The connection below an application's ``send``: each layer of hypercorn hands on to the ``send`` of the next, and
    the last one has a StreamWriter. Raises Missed where a release has other layers."""
    inner: Any = send
    for _ in range(_LAYERS):
        owner = getattr(inner, "__self__", None)
        if isinstance(writer := getattr(owner, "writer", None), asyncio.StreamWriter):
            return cast(asyncio.Transport, writer.transport)
        inner = getattr(owner, "send", None)
    raise Missed("this hypercorn does not show its transport")
