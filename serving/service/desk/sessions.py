"""Who is asking: a cookie that only the service reads, and who gets one.

The cookie holds the person's token. It is `HttpOnly` and `SameSite=Strict`, and named after the
folder, since cookies do not keep ports apart and two desks may run on one machine. It comes by a
link that holds the token; or, where the desk is open to this machine alone, with a name.
"""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gandt.labeling.queue import Queue
from gandt.labeling.queue_store import Person

__all__ = ["Sessions", "user_name"]

_YEAR = 365 * 24 * 3600


class Sessions:
    """The visitors of one desk.

    Parameters
    ----------
    people
        Who may come in, each by their link; where there are none, whoever comes may say a name.
    """

    def __init__(self, queue: Queue, people: Sequence[Person] = ()) -> None:
        self.queue, self.open_door = queue, not people
        self._invited = frozenset(person.id for person in people)
        self.cookie = f"gandt-{hashlib.sha256(queue.secret.encode()).hexdigest()[:12]}"

    def person(self, request: Request) -> Person | None:
        """Who this is; None where nobody was let in yet."""
        return self.person_of(request.cookies.get(self.cookie, ""))

    def person_of(self, token: str) -> Person | None:
        """Whose token this is; None where it is nobody's, or of somebody not invited this time."""
        person = self.queue.person_of(token) if token else None
        invited = person is not None and (self.open_door or person.id in self._invited)
        return person if invited else None

    def known(self, request: Request) -> Person:
        """Who this is.

        Raises
        ------
        HTTPException
            401 where nobody was let in.
        """
        person = self.person(request)
        if person is None:
            raise HTTPException(
                401,
                "Say your name on the first page."
                if self.open_door
                else "The desk does not know you: open the link that you were given.",
            )
        return person

    def let_in(self, response: Response, person: Person) -> None:
        """Give the cookie."""
        response.set_cookie(
            self.cookie, person.token, max_age=_YEAR, httponly=True, samesite="strict", path="/"
        )


def user_name() -> str:
    """Guess the name of whoever sits at this machine, to be corrected by them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
    return "" if name in ("root", "nobody") else name
