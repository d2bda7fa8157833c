"""Where a PostgreSQL server is, and how a DSN names it. Passwords are kept out of everything that is shown."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

FORM = "give it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
_PLAIN = ("disable", "allow", "prefer")


class PgError(Exception):
    """One line that says what is wrong with PostgreSQL and what to do. Holds no password."""


@dataclass(frozen=True)
class PgAddress:
    """A server that takes connections over TCP. ``version`` is as the server says it, "18.4"."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    version: str = ""
    embedded: bool = False

    def dsn(self) -> str:
        """The URI to connect with, password included: never for the screen, a log or a recording."""
        return f"postgresql://{_quoted(self.user)}:{_quoted(self.password)}@{self._place()}"

    def shown(self) -> str:
        """The URI without its password."""
        return f"postgresql://{_quoted(self.user)}@{self._place()}"

    def _place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{_quoted(self.database)}"


def parse_dsn(dsn: str) -> PgAddress:
    """Read a connection URI (PostgreSQL documentation, 32.1.1.2).

    The port defaults to 5432, the database to the user's name, and the password to the environment's
    PGPASSWORD, which other users cannot read off the command line. Raises PgError.
    """
    try:
        parts = urlsplit(dsn)
        port = 5432 if parts.port is None else parts.port
    except ValueError:
        raise PgError(f"the DSN for PostgreSQL has no valid host and port: {FORM}") from None
    _check(parts, port)
    user, password, host = unquote(parts.username or ""), parts.password, unquote(parts.hostname or "")
    return PgAddress(
        host=host,
        port=port,
        user=user,
        password=os.environ.get("PGPASSWORD", "") if password is None else unquote(password),
        database=unquote(parts.path.lstrip("/")) or user,
    )


def _check(parts: SplitResult, port: int) -> None:
    if parts.scheme not in ("postgres", "postgresql"):
        raise PgError(f"the DSN for PostgreSQL does not begin with postgresql:// : {FORM}")
    host = unquote(parts.hostname or "")
    if not host or host.startswith("/"):
        raise PgError(f"the DSN for PostgreSQL names no TCP host, and a Unix socket cannot be tapped: {FORM}")
    if "," in parts.netloc.rpartition("@")[2] or port == 0:
        raise PgError(f"the DSN for PostgreSQL must name one host and one port: {FORM}")
    if not parts.username:
        raise PgError(f"the DSN for PostgreSQL names no user: {FORM}")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name != "sslmode":
            raise PgError(f"the DSN for PostgreSQL has an option that is not supported, {name!r}: leave it out")
        if value not in _PLAIN:
            raise PgError(f"sslmode={value!r} in the DSN: the tap reads plain messages, so use sslmode=disable")


def _quoted(text: str) -> str:
    return quote(text, safe="")
