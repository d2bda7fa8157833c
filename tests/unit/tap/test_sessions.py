"""Real sessions, cut in every way, are decoded alike, to the last byte, and without their secrets."""

from __future__ import annotations

import pytest

from tests.unit.tap.capture import PASSWORD
from tests.unit.tap.sessions import DIRECTIONS, POSTGRES, SESSIONS, Script, by, conversation_for, decode


@pytest.fixture(params=sorted(SESSIONS))
def session(request: pytest.FixtureRequest) -> tuple[str, Script]:
    return request.param, SESSIONS[request.param]()


def test_every_byte_is_accounted_for_and_none_is_lost(session: tuple[str, Script]) -> None:
    name, script = session
    decoded = decode(conversation_for(name), script)
    for way in DIRECTIONS:
        assert decoded.lost[way] == []
        assert decoded.said[way] == sum(len(data) for step, data in script if step == way)


@pytest.mark.parametrize("size", [1, 7, 13, 4096])
def test_the_cut_changes_nothing(session: tuple[str, Script], size: int) -> None:
    name, script = session
    expected = decode(conversation_for(name), script).merged()
    assert decode(conversation_for(name), script, by(size)).merged() == expected


@pytest.mark.parametrize("name", sorted(POSTGRES))
@pytest.mark.parametrize("size", [1, 13, 4096])
def test_no_secret_is_said(name: str, size: int) -> None:
    decoded = decode(conversation_for(name), SESSIONS[name](), by(size))
    said = repr(decoded.items)
    assert PASSWORD not in said
    for secret in cancel_secrets(SESSIONS[name]()):
        assert secret.hex() not in said
        assert repr(secret)[2:-1] not in said
        assert str(int.from_bytes(secret, "big")) not in said


def test_there_are_secrets_to_keep() -> None:
    assert PASSWORD.encode() in b"".join(data for _, data in SESSIONS["pg_clear_password"]())
    assert PASSWORD.encode() in b"".join(data for _, data in SESSIONS["pg_scram"]())
    assert [len(secret) for secret in cancel_secrets(SESSIONS["pg_psql"]())] == [32]
    assert cancel_secrets(SESSIONS["pg_cancel"]()) == cancel_secrets(SESSIONS["pg_scram"]())


def cancel_secrets(script: Script) -> list[bytes]:
    """Found without the decoder: behind the pid in BackendKeyData and CancelRequest."""
    data = b"".join(data for _, data in script)
    if data[4:8] == (80877102).to_bytes(4, "big"):
        return [data[12:]]
    found = []
    for length in (12, 40):
        start = data.find(b"K" + length.to_bytes(4, "big"))
        if start >= 0:
            found.append(data[start + 9 : start + 1 + length])
    return found
