"""How long a connection may take: to send the head of a request, and to take what it was sent.

uvicorn waits for ever for headers that come byte by byte, and for a client that does not read. A
thousand such connections would leave no room for anybody else (the attack is known as Slowloris,
2009). Here a connection has so many seconds from its beginning, or from its last reply, to send a
whole head; what is left of an earlier body counts as well. And a reply of which nothing can be sent
for some time is given up. While a request is at work nothing runs: bodies are limited by the
`guard`, work by whoever does it.

Where there are half as many connections as there may be, a new one takes the place of the one that
has kept the service waiting longest: whoever comes with a request sends it at once. The other half
is for requests that are at work.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["PatientProtocol"]

HEAD_SECONDS = 20.0  # for the head of the first request
IDLE_SECONDS = 30.0  # more, after a reply: browsers keep connections for what comes next
TAKE_SECONDS = 60.0  # in which some of a reply has to be taken
_CLOSE_SECONDS = 5.0  # for the last words
_TOO_SLOW = b"The head of the request did not arrive in time."


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with deadlines; one for each connection."""

    _deadline: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None
    _since = 0.0  # the loop's time when it began, or had its last reply

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # The links of people hold their tokens, and would stand in whatever log there is.
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin: the first head is awaited."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._wait(HEAD_SECONDS)
        if self.limit_concurrency and 2 * len(self.connections) > self.limit_concurrency:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_waiting()
        self._stop_taking()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what came; once a request is at work, nothing is awaited."""
        super().handle_events()
        if self._at_work():
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next head, unless it was here already."""
        self._stop_waiting()
        self._since = self.loop.time()
        super().on_response_complete()
        if not self._at_work() and not self.transport.is_closing():
            self._wait(IDLE_SECONDS + HEAD_SECONDS)

    def pause_writing(self) -> None:
        """The client is slower than the reply: it has to take some of it in time."""
        super().pause_writing()
        self._stop_taking()
        self._taking = self.loop.call_later(TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It did."""
        super().resume_writing()
        self._stop_taking()

    def _at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _awaits_client(self) -> bool:
        """Whether the next thing is the client's: to send a head or a body, or to take a reply."""
        return not self._at_work() or self.cycle.more_body or self._taking is not None

    def _make_room(self) -> None:
        others = [
            one
            for one in self.connections
            if isinstance(one, PatientProtocol) and one is not self and one._awaits_client()
        ]
        if others:
            oldest = min(others, key=lambda one: one._since)
            self.connections.discard(oldest)  # others that come before it has ended choose another
            oldest.transport.abort()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _give_up(self) -> None:
        self._deadline = None
        began = bool(self.conn.trailing_data[0])
        if self.conn.our_state is h11.IDLE and began and not self.transport.is_closing():
            self.transport.write(self._last_words())
        self.transport.close()
        # Where even that is not taken, closing would wait for ever.
        self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def _last_words(self) -> bytes:
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(_TOO_SLOW))),
            ("connection", "close"),
        ]
        reply = h11.Response(status_code=408, headers=headers, reason=b"Request Timeout")
        parts = (self.conn.send(reply), self.conn.send(h11.Data(_TOO_SLOW)))
        return b"".join(part or b"" for part in (*parts, self.conn.send(h11.EndOfMessage())))
