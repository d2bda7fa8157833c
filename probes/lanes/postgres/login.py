"""How the lane and its observer log in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONNECT_TIMEOUT = 5.0
"""Seconds for connections that are not what is being tested."""


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """How to log in; not shown in a repr, because of the password. ``host``/``port``: past the tap."""

    host: str
    port: int
    user: str
    password: str
    database: str

    def at(self, address: tuple[str, int]) -> dict[str, Any]:
        """asyncpg's keyword arguments to connect to ``address`` with this login."""
        host, port = address
        return {
            "host": host,
            "port": port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            # Over TLS the tap would see records only; and an SSLRequest would precede every CancelRequest.
            "ssl": "disable",
        }

    def direct(self) -> dict[str, Any]:
        """The same to connect past the tap, bounded."""
        return self.at((self.host, self.port)) | {"timeout": CONNECT_TIMEOUT}
