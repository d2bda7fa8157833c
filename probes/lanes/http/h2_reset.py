"""What httpcore 1.0 does not do when an HTTP/2 request is cancelled, done by a patch: ``http/2 + reset``.

httpcore drops its own record of the stream and says nothing to the peer, who streams on; and what it had read for
the stream is never credited to the connection's window, so that one abandoned download starves all others. The
patched connection sends RST_STREAM(CANCEL) (RFC 9113, 6.4 and 8.1) and credits what was not consumed (5.2.1); for DATA
that still comes h2 itself credits the connection, once the stream is reset.

It reaches into private parts, so it fits these versions only, is off unless a lane asks for it, and is installed in
that lane's own pool: no other client of the process has it. Upstream: encode/httpcore #1022, PR #1098 and #1093.
"""

from __future__ import annotations

from typing import Any

from h2.errors import ErrorCodes
from h2.events import DataReceived
from h2.exceptions import ProtocolError

FITS = ("1.0.",)
NAME = "patched: RST_STREAM(CANCEL) and window credit on cancel"


class NotFitting(RuntimeError):
    """The patch is for other versions of httpcore."""


def resetting_pool(httpcore: Any) -> type[Any]:
    """A pool whose HTTP/2 connections are patched. Raises NotFitting."""
    if httpcore.__name__ != "httpcore" or not httpcore.__version__.startswith(FITS):
        found = f"{httpcore.__name__} {httpcore.__version__}"
        raise NotFitting(f"the patch fits httpcore {', '.join(f'{fit}x' for fit in FITS)}, and this is {found}")

    class Connection(httpcore.AsyncHTTPConnection):  # type: ignore[misc]
        """Patches what it connects to."""

        _inner: Any = None

        @property
        def _connection(self) -> Any:
            return self._inner

        @_connection.setter
        def _connection(self, value: Any) -> None:
            self._inner = value
            if hasattr(value, "_h2_state"):
                patch(value)

    class Pool(httpcore.AsyncConnectionPool):  # type: ignore[misc]
        def create_connection(self, origin: Any) -> Any:
            plain = super().create_connection(origin)
            made = Connection(origin=origin)
            made.__dict__.update({name: value for name, value in vars(plain).items() if name != "_connection"})
            return made

    return Pool


def patch(connection: Any) -> None:
    """Let this AsyncHTTP2Connection tell its peer when a stream is given up."""
    original = connection._response_closed

    async def response_closed(stream_id: int) -> None:
        give_up(connection, stream_id)
        await original(stream_id=stream_id)

    connection._response_closed = response_closed


def give_up(connection: Any, stream_id: int) -> None:
    """Reset the stream unless it is over, and credit what nobody will read. Does not suspend: a second cancel cannot
    come between."""
    h2 = connection._h2_state
    stream = h2.streams.get(stream_id)
    if stream is None or stream.closed or connection.is_closed():
        return
    try:
        for event in connection._events.get(stream_id, ()):
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
        h2.reset_stream(stream_id, ErrorCodes.CANCEL)
    except ProtocolError:
        return
    if (data := h2.data_to_send()) and not _hand_over(connection._network_stream, data):
        connection._connection_error = True


def _hand_over(stream: Any, data: bytes) -> bool:
    """Give ``data`` to the transport now; False where TLS has lost a record, and the connection with it."""
    layer = getattr(stream, "inner", stream)._stream
    if getattr(layer, "_broken", False):
        return False
    if hasattr(layer, "_ssl_object"):
        layer._ssl_object.write(data)
        data = layer._write_bio.read()
        layer = layer.transport_stream
    layer._transport.write(data)
    return True
