"""One server for the session of these tests, a bench for each."""

from tests.kit.pg_kit import pg_cache, pg_server

__all__ = ["pg_cache", "pg_server"]
