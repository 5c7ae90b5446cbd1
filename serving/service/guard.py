"""What every request has to pass before anything of the service sees it, and what every reply says.

- `Host` has to be an address, `localhost` or a name of this machine that the service was told: a
  name of somebody else that was made to point here (DNS rebinding) is refused.
- What changes anything has to come from a page of the service itself (`Origin`), so that no other
  site can send it with the visitor's cookies. A service for programs, which send no `Origin`, takes
  JSON alone: browsers send it to another site only after that site has agreed, and name the origin.
- A body is limited in size and in time; headers are by the server (`patience`).
- Replies carry a strict content security policy, with a nonce that is new each time, and may be
  neither framed nor sniffed.

Any ASGI application can stand behind it. The rules are those of the Fetch standard and of OWASP's
cheat sheets on request forgery and on content security policy.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_BODY", "Guard", "cut_short", "nonce_of", "too_large"]

MAX_BODY = 16_000_000  # bytes; the mask of a large image is the most that pages send
BODY_SECONDS = 30.0
_READS = frozenset({"GET", "HEAD"})
_IMAGE_POLICY = "default-src 'none'; sandbox"  # for what is shown by pages, never by itself


def nonce_of(request: Request) -> str:
    """The nonce that this reply's policy allows scripts and styles with."""
    return str(request.scope["gandt.nonce"])


def page_policy(nonce: str) -> str:
    """The content security policy of a page."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


class Guard:
    """ASGI middleware that lets only sound requests through.

    Parameters
    ----------
    app
        What stands behind.
    names
        Host names of this machine, without a port, beside `localhost` and addresses.
    programs
        Whether programs may send what changes something: as JSON, and without an `Origin`.
    max_body
        Bytes of a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: Iterable[str] = (),
        *,
        programs: bool = False,
        max_body: int = MAX_BODY,
    ) -> None:
        self.app, self.programs, self.max_body = app, programs, max_body
        self.names = frozenset({"localhost", *(name.lower() for name in names)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope["gandt.nonce"] = nonce
        headers = Headers(scope=scope)
        image = False

        async def answer(message: Message) -> None:
            nonlocal image
            if message["type"] == "http.response.start":
                found = MutableHeaders(raw=message.setdefault("headers", []))
                image = found.get("content-type", "").startswith(("image/", "application/octet"))
                _protect(found, page_policy(nonce) if not image else _IMAGE_POLICY)
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            more = {"Connection": "close"} if refusal[0] == 400 else None
            reply = JSONResponse({"error": refusal[1], "field": None}, refusal[0], more)
            await reply(scope, receive, answer)
            return
        await self.app(scope, _limited(scope, receive, self.max_body), answer)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return 421, "This address is not one of this machine: use the link that was printed."
        if "transfer-encoding" in headers and "content-length" in headers:
            # Whoever stands between may take the other one for true, and see other requests.
            return 400, "A body has one length: send Content-Length or Transfer-Encoding."
        if scope["method"] in _READS:
            return None
        # Either scheme, for a proxy may speak TLS for us; the host is what tells sites apart.
        ours = {f"http://{hosts[0]}", f"https://{hosts[0]}"}
        origins = headers.getlist("origin")
        if not (self.programs and not origins) and (len(origins) != 1 or origins[0] not in ours):
            return 403, "This was not sent by a page of this service, so it was not taken."
        if self.programs and _has_body(headers) and not _is_json(headers):
            return 415, "A body is sent as JSON: set Content-Type to application/json."
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > self.max_body):
            return 413, too_large(self.max_body)
        return None

    def _is_ours(self, host: str) -> bool:
        name, address = _host_name(host), None
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return address is not None


def _host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name, colon, port = host.partition(":")
    return name.lower() if not colon or port.isdecimal() else ""


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _is_json(headers: Headers) -> bool:
    kinds = headers.getlist("content-type")
    return len(kinds) == 1 and kinds[0].partition(";")[0].strip().lower() == "application/json"


def too_large(limit: int = MAX_BODY) -> str:
    """Say that a body is too large."""
    return f"What was sent is larger than {limit // 1_000_000} MB, so it was not taken."


def cut_short(request: Request) -> tuple[int, str]:
    """Say why a body was not received to its end: a status, and a sentence."""
    found = request.scope.get("gandt.cut")
    return found or (400, "What was sent did not come to its end, so it was not taken.")


def _limited(scope: Scope, receive: Receive, limit: int) -> Receive:
    """Receive no more of a body than is allowed, and wait no longer for it.

    What is cut off ends as if the client had left; the scope says why, see `cut_short`.
    """
    taken = 0
    deadline = None

    async def limited() -> Message:
        nonlocal taken, deadline
        now = asyncio.get_running_loop().time()
        deadline = deadline or now + BODY_SECONDS
        if taken < 0:  # the body is complete: what follows is only the end of the connection
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.01, deadline - now))
        except asyncio.TimeoutError:
            sentence = f"What was sent did not arrive within {BODY_SECONDS:g} s; send it again."
            scope["gandt.cut"] = 408, sentence
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                scope["gandt.cut"] = 413, too_large(limit)
                return {"type": "http.disconnect"}
            if not message.get("more_body", False):
                taken = -1
        return message

    return limited


def _protect(headers: MutableHeaders, policy: str) -> None:
    headers["Content-Security-Policy"] = policy
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers.setdefault("Cache-Control", "no-store")
