"""The server of the tests that need a real one."""

from tests.kit.pg_kit import pg_cache

__all__ = ["pg_cache"]
