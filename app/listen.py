"""Outside clients: the lab is told to take them, in a console or without one."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from pathlib import Path

from app import commands
from app.headless import READY_TIMEOUT, NotReady, Watch, printer
from app.paint.guests import recipes
from app.pump import LAB, LabProcess
from app.settings import RunSettings
from probes.events import ChildStarted, Event, LabReady

LOOPBACK = "127.0.0.1"
SETTINGS = RunSettings("guests", "Guests", ())


class Invitation:
    """Tells a lab to listen on ``host`` as soon as it is ready, and again when it had to be started again."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._sent = False

    def follow(self, events: Iterable[Event], latest: int, send: Callable[[commands.AnyCommand], None]) -> None:
        """``latest``: the number of the newest run so far; ``send``: takes the command when it is due."""
        for event in events:
            if isinstance(event, ChildStarted) and event.child == LAB:
                self._sent = False
            elif isinstance(event, LabReady) and self._host and not self._sent:
                self._sent = True
                send(commands.Listen(run=latest + 1, host=self._host))


def check_address(host: str, *, known: bool) -> None:
    """Raises ValueError with what to do for an address that is none, or that others can reach and nobody said so."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is no IP address: give one, like 127.0.0.1 or 0.0.0.0") from None
    if address.version == 6:
        raise ValueError(f"{host} is IPv6, and the taps speak IPv4: give an address like 127.0.0.1 or 0.0.0.0")
    if not address.is_loopback and not known:
        raise ValueError(
            f"{host} can be reached by others: slow servers without a login, and PostgreSQL with the role guest, would "
            "be open to them. Say so with --i-know-this-opens-a-port"
        )


async def run_listen(
    make_lab: Callable[[Callable[[list[Event]], None]], LabProcess],
    host: str,
    *,
    form: str,
    record: Path | None = None,
    overwrite: bool = False,
    say: Callable[[str], None],
) -> None:
    """Take outside clients until cancelled; print one result for each run of theirs.

    ``say`` gets the addresses and commands, a line each. Raises NotReady, RecordingError, OSError; whatever happens,
    the lab is gone afterwards.
    """
    watch = Watch(printer(form))
    invitation = Invitation(host)

    def take(events: list[Event]) -> None:
        watch.take(events)
        invitation.follow(events, watch.latest, lab.send)

    lab = make_lab(take)
    try:
        if record is not None:
            lab.start_recording(record, overwrite=overwrite)
        await lab.start()
        await _until_open(watch, lab)
        for service, lines in recipes(watch.session.guests):
            say(f"{service} on {watch.session.guests[service]}")
            for what, command in lines:
                say(f"  {what}: {command}")
        await watch.until(lambda: bool(lab.given_up), None)
        raise NotReady(lab.given_up, 1)
    finally:
        await lab.stop()


async def _until_open(watch: Watch, lab: LabProcess) -> None:
    def failed() -> str:
        parts = [f"{part.part}: {part.detail}" for part in watch.session.parts if part.state == "failed"]
        return lab.given_up or "; ".join(parts)

    try:
        await watch.until(lambda: bool(watch.session.guests or failed()), READY_TIMEOUT)
    except TimeoutError:
        raise NotReady(f"the lab was not ready within {READY_TIMEOUT:g} s") from None
    if not watch.session.guests:
        raise NotReady(failed())
