"""Middleware round the transport of a client, as users of httpx write it: a transport that has another one inside.

The request passes the links up to the head of its response, and then the response's body does. Deadlines travel as
httpx hands them on, in the request's extension ``timeout``. What a shield protects is what stands inside of it: a head
that comes when its caller has left is nobody's, its response is never closed, and its slot of the pool never freed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from probes.lanes.http.library import Library
from probes.middleware import Chain
from probes.schema import LANE_HEADER

MADE_UP = "x-cancelloscope-made-up"
"""A header of a response that a link gave in the place of the server's."""


class Links:
    """A transport's part that is the same for each library. ``whole``: the body of a response came to its end, whether
    or not its caller was still there."""

    body: type[Body]

    def __init__(self, httpx: Any, chain: Chain, inner: Any, lane: str) -> None:
        self._httpx, self._chain, self._inner, self._lane = httpx, chain, inner, lane
        self.whole = False

    async def handle_async_request(self, request: Any) -> Any:
        """Raises what the inner transport raises, and the TimeoutError of a link's own limit."""
        if request.headers.get(LANE_HEADER) != self._lane:
            # Other requests of the same client: what becomes of the lane's own is to be seen.
            return await self._inner.handle_async_request(request)
        request.extensions["timeout"] = self._handed_on(request.extensions.get("timeout", {}))
        response = await self._chain.around(lambda: self._inner.handle_async_request(request), self._answer)
        if MADE_UP not in response.headers:
            response.stream = self.body(self._chain, response.stream, self._came_whole)
        return response

    def _handed_on(self, timeouts: dict[str, float | None]) -> dict[str, float | None]:
        given = {f"{name} timeout": seconds for name, seconds in timeouts.items()}
        return {name.removesuffix(" timeout"): seconds for name, seconds in self._chain.deadlines(given).items()}

    def _answer(self) -> Any:
        return self._httpx.Response(200, headers={MADE_UP: "by a link"}, stream=self._httpx.ByteStream(b""))

    def _came_whole(self) -> None:
        self.whole = True

    async def aclose(self) -> None:
        """Close the client, with all that goes on in it: a shield is round a request, and not round this."""
        await self._inner.aclose()


class Body:
    """A response's body behind the links."""

    def __init__(self, chain: Chain, inner: Any, whole: Any) -> None:
        self._chain, self._inner, self._whole = chain, inner, whole
        self._begun = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._begun = True
        async for part in self._chain.stream(self._parts()):
            yield part

    async def _parts(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part
        self._whole()
        if self._chain.detaches:
            await self._inner.aclose()

    async def aclose(self) -> None:
        """What reads on for a caller who has left closes it at its own end."""
        if not (self._begun and self._chain.detaches):
            await self._inner.aclose()


def behind(library: Library, chain: Chain, inner: Any, lane: str) -> Links:
    """A transport of this library that leads the requests of ``lane`` through ``chain`` to the ``inner`` one."""

    class Stream(Body, library.httpx.AsyncByteStream):  # type: ignore[misc, name-defined]
        """httpx takes no other."""

    class Transport(Links, library.httpx.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        body = Stream

    return Transport(library.httpx, chain, inner, lane)
