"""The servers of these tests."""

from tests.kit.pg_kit import fresh_cache, pg_cache

__all__ = ["fresh_cache", "pg_cache"]
