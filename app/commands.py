"""What the app can ask of the lab: one JSON object a line on the lab's stdin, told apart by ``cmd``."""

from __future__ import annotations

import msgspec

from probes.events import FaultPlan, LanePlan


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="cmd"):
    """Base of all commands."""


class Start(Command, frozen=True, tag="start"):
    """Fire a run. ``run`` is the app's own count from 1, so that it goes on when a lab is restarted.

    ``deadline``: seconds from the start to the scope's own cancel, None for none. ``settle``: how long the lab
    waits at most after the trigger before it tears the clients down. ``limit``: seconds after which a run without
    any trigger is ended.
    """

    run: int
    scenario: str
    title: str
    lanes: tuple[LanePlan, ...]
    deadline: float | None = None
    settle: float = 1.0
    limit: float = 60.0


class Cancel(Command, frozen=True, tag="cancel"):
    """Cancel all lanes of the open run, or one. ``key_ns``: CLOCK_MONOTONIC when the key went down."""

    lane: str = ""
    cause: str = "key"
    key_ns: int = 0


class Fault(Command, frozen=True, tag="fault"):
    """Let the tap of a lane of the open run disturb its connections from now on, whatever ``fault.at`` says, until it
    is cleared or the run is torn down."""

    lane: str
    fault: FaultPlan


class Clear(Command, frozen=True, tag="clear"):
    """End the faults of a lane's tap: those of ``kind``, or all."""

    lane: str
    kind: str = ""


class Stop(Command, frozen=True, tag="stop"):
    """End the open run now: tear down without waiting for it to settle."""


class Quit(Command, frozen=True, tag="quit"):
    """End the lab in good order. End of file on its stdin does the same."""


class Listen(Command, frozen=True, tag="listen"):
    """Open taps for outside clients on ``host``. Each of their exchanges gets a lane, in runs from ``run`` on."""

    run: int
    host: str = "127.0.0.1"


AnyCommand = Start | Cancel | Fault | Clear | Stop | Listen | Quit

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def encode(command: AnyCommand) -> bytes:
    """One line, with its newline."""
    return _encoder.encode(command) + b"\n"


def decode(line: bytes) -> AnyCommand:
    """Raises ValueError with one line of text."""
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
