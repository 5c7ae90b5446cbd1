"""Who may come in: on loopback whoever can reach it, elsewhere those who hold a token.

A token is in the link that a person was given. The link's page puts it into a cookie that only the
service reads (`HttpOnly`, `SameSite=Strict`), named after the index, since cookies do not keep
ports apart. It does not redirect: the next page would come without the cookie, for the visitor came
from another site. Programs send the token as `Authorization: Bearer`. Tokens are compared in
constant time, and stand in no message, log or metric.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gandt.serving.service.guard import nonce_of
from gandt.serving.service.pages import shell

__all__ = ["Access", "AccessCheck", "kept_secret"]

_YEAR = 365 * 24 * 3600
_OPEN = frozenset({"/healthz", "/favicon.ico"})  # these tell nothing of the pool
_ENTER = "/enter/"


class Access:
    """The people who may come in.

    Parameters
    ----------
    tokens
        Name -> token. Nobody: the service is open to whoever reaches it.
    subject
        What is served; names the cookie.
    """

    def __init__(self, tokens: Mapping[str, str] | None = None, *, subject: str = "") -> None:
        self.tokens = dict(tokens or {})
        self._digests = {name: _digest(token) for name, token in self.tokens.items()}
        self.cookie = f"gandt-explore-{hashlib.sha256(subject.encode()).hexdigest()[:12]}"

    @classmethod
    def for_people(
        cls, names: Sequence[str], *, subject: str = "", secret: bytes | None = None
    ) -> Access:
        """Make a token for each person.

        Parameters
        ----------
        secret
            With the same one, people keep their links from one start to the next.
        """
        key = secret or secrets.token_bytes(32)
        tokens = {
            name: base64.urlsafe_b64encode(
                hmac.digest(key, f"{subject}\n{name}".encode("utf-8", "surrogatepass"), "sha256")
            )
            .decode()
            .rstrip("=")
            for name in names
        }
        return cls(tokens, subject=subject)

    @property
    def open(self) -> bool:
        """Whether no token is needed."""
        return not self.tokens

    def person_of(self, token: str) -> str | None:
        """Whose token this is; None where it is nobody's."""
        given, found = _digest(token), None
        for name, digest in self._digests.items():  # all of them, whichever it is
            if hmac.compare_digest(given, digest):
                found = name
        return found

    def person(self, request: HTTPConnection) -> str | None:
        """Who sends this request; None where nobody knows."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and (found := self.person_of(token.strip())) is not None:
            return found
        return self.person_of(request.cookies.get(self.cookie, ""))

    def enter(self, request: Request) -> Response:
        """The page behind a person's link; it gives them the cookie."""
        token = str(request.path_params["token"])
        name = self.person_of(token)
        if name is None:
            text = "This link opens nothing here: ask for yours again."
            return _page(request, 404, "This link is not valid", text, home=False)
        text = f"{name}, you are in. Keep this link to yourself: whoever has it comes in as you."
        reply = _page(request, 200, "Welcome", text, home=True)
        reply.set_cookie(
            self.cookie, token, max_age=_YEAR, httponly=True, samesite="strict", path="/"
        )
        return reply


def kept_secret(file: Path) -> bytes | None:
    """The secret that links are made of, made at the first need; None where it cannot be kept.

    Whoever deletes the file makes all links void.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(32))
        try:
            os.link(fresh, file)  # whole, and only where there is none: two may start at once
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        kept = file.read_bytes()
    except OSError:
        return None
    return kept if len(kept) >= 32 else None


class AccessCheck:
    """ASGI middleware that answers 401 to whoever holds no token.

    Parameters
    ----------
    app
        What stands behind.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http" or self.access.open or self._may_pass(scope):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        if scope["method"] == "GET" and "text/html" in request.headers.get("accept", ""):
            text = "This page is open to those who were invited: open the link that you were given."
            reply: Response = _page(request, 401, "You need a link", text, home=False)
        else:
            text = "Send the token of your link, as `Authorization: Bearer <token>`."
            reply = JSONResponse({"error": text, "field": None}, 401)
        reply.headers["WWW-Authenticate"] = 'Bearer realm="gandt"'
        await reply(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in _OPEN or path.startswith(_ENTER):
            return True
        return self.access.person(HTTPConnection(scope)) is not None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _page(request: Request, status: int, title: str, text: str, *, home: bool) -> HTMLResponse:
    values = {"text": text, "home": home}
    return HTMLResponse(shell("explore/entry.html", title, nonce_of(request), values), status)
