"""A framework's server beside our own: hypercorn, HTTP/1.1 and h2c on one port, with ``servers.http.asgi``."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from hypercorn.asyncio import serve
from hypercorn.config import Config

from servers.handler import Env
from servers.http.asgi import Application
from servers.strikes import Blow

NAME = "hypercorn"
_LONG_S = 60.0
"""Longer than this process takes to end: hypercorn 0.18 fails noisily where it cancels a handler of HTTP/2."""


class HypercornServer:
    """Runs on the loop that is there, and stops when it is told to."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._application = Application(env, NAME, {"stop": self._stop_for})
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

    def _stop_for(self, blow: Blow) -> None:
        at = self._env.sink.clock.now()
        grace = blow.grace or 0
        self._shut_down(grace)
        blow.say("server stop", f"hypercorn shutdown, graceful_timeout {grace:g}", at)

    def _shut_down(self, grace: float) -> None:
        """Hypercorn's own way: handlers that have not ended in ``grace`` seconds are cancelled."""
        self._config.graceful_timeout = grace
        self._over.set()
