"""Where outside clients may come from, when the lab is told to take them, and what they are told."""

from __future__ import annotations

import pytest

from app import commands
from app.listen import Invitation, check_address
from app.paint.guests import recipe_lines, recipes
from probes.events import ChildStarted, LabReady

HEAD = {"err": 0, "src": "lab"}
READY = LabReady(t=2, seq=2, versions={}, addresses={}, **HEAD)
STARTED = ChildStarted(t=1, seq=1, child="lab", pid=7, **HEAD)


def test_loopback_needs_no_word_and_any_other_address_does() -> None:
    check_address("127.0.0.1", known=False)
    check_address("0.0.0.0", known=True)
    with pytest.raises(ValueError, match=r"can be reached by others.*--i-know-this-opens-a-port"):
        check_address("0.0.0.0", known=False)


@pytest.mark.parametrize(("host", "says"), [("localhost", "no IP address"), ("::1", "IPv6"), ("", "no IP address")])
def test_what_is_no_address_for_a_tap_is_refused(host: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_address(host, known=True)


def test_a_lab_is_told_once_and_a_new_lab_again_from_the_next_run_on() -> None:
    sent: list[commands.AnyCommand] = []
    invitation = Invitation("127.0.0.1")
    invitation.follow([STARTED, READY, READY], 0, sent.append)
    assert sent == [commands.Listen(run=1, host="127.0.0.1")]
    invitation.follow([STARTED], 4, sent.append)
    invitation.follow([READY], 4, sent.append)
    assert sent[1:] == [commands.Listen(run=5, host="127.0.0.1")]


def test_nobody_is_invited_without_an_address() -> None:
    sent: list[commands.AnyCommand] = []
    Invitation("").follow([STARTED, READY], 0, sent.append)
    assert sent == []


def test_every_command_names_its_service_and_fits_in_the_dialog() -> None:
    addresses = dict.fromkeys(("postgres", "http", "grpc", "https", "hypercorn"), "127.0.0.1:65535")
    found = recipes(addresses)
    assert {service for service, _ in found} == set(addresses)
    for _, asked in found:
        for _, command in asked:
            assert "127.0.0.1:65535" in command
            assert len(command) <= 84
    assert recipes({}) == []
    assert len(recipe_lines({})) == 1
