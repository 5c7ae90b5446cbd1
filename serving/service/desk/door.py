"""The first page of a desk: a name is asked, or a link is looked at, and a cookie given."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gandt.errors import UsageError
from gandt.labeling.queue import Queue
from gandt.labeling.queue_store import Person
from gandt.serving.service.desk.sent import read_name
from gandt.serving.service.desk.sessions import Sessions, user_name
from gandt.serving.service.guard import nonce_of
from gandt.serving.service.pages import shell

__all__ = ["Door"]

_MAX_PEOPLE = 1000  # who may come in by a name


class Door:
    """How people come in.

    Parameters
    ----------
    start
        Where somebody goes who said a name.
    """

    def __init__(self, queue: Queue, sessions: Sessions, *, start: str = "/") -> None:
        self.queue, self.sessions, self.start = queue, sessions, start
        count = len(queue.tasks)
        self.tasks_said = f"{count:,} task" + ("" if count == 1 else "s")

    def stranger(self, request: Request) -> Response:
        """What somebody sees who was not let in yet."""
        return self._ask_name(request) if self.sessions.open_door else self._closed(request)

    def _closed(self, request: Request) -> Response:
        text = "This desk is open to those who were invited: open the link that you were given."
        return self._say(request, 401, "You need a link", text, home=False)

    def _ask_name(self, request: Request, error: str = "", name: str | None = None) -> Response:
        known = [person.name for person in self.queue.people]
        values = {
            "tasks": self.tasks_said,
            # Where somebody was here before, a name at hand would soon be the wrong one.
            "name": name if name is not None else "" if known else user_name(),
            "error": error,
            "known": known[-12:],
        }
        page = shell("desk/name.html", "Who is labeling?", nonce_of(request), values)
        return HTMLResponse(page, 422 if error else 200)

    def who(self, request: Request) -> Response:
        """Let somebody else sit down."""
        return (
            self._ask_name(request, name="") if self.sessions.open_door else self._closed(request)
        )

    async def take_name(self, request: Request) -> Response:
        """Let somebody in by a name, where the door is open."""
        if not self.sessions.open_door:
            raise HTTPException(403, "This desk is open by link only.")
        name = await read_name(request)
        try:
            if len(self.queue.people) >= _MAX_PEOPLE:
                raise UsageError("Too many people have come in by name: start it with --people.")
            person = await run_in_threadpool(self.queue.join, name)
        except UsageError as error:
            return self._ask_name(request, str(error), name[:60])
        response = RedirectResponse(self.start, 303)
        self.sessions.let_in(response, person)
        return response

    def enter(self, request: Request) -> Response:
        """Let somebody in by their link. No redirect: it would come without the cookie."""
        person = self.sessions.person_of(request.path_params["token"])
        if person is None:
            text = "This link opens nothing here: ask for yours again."
            return self._say(request, 404, "This link is not valid", text, home=False)
        response = self._welcome(request, person)
        self.sessions.let_in(response, person)
        return response

    def welcome(self, request: Request) -> Response:
        """The page behind a link, once more."""
        person = self.sessions.person(request)
        return self._closed(request) if person is None else self._welcome(request, person)

    def _welcome(self, request: Request, person: Person) -> Response:
        values = {
            "person": person.name,
            "tasks": self.tasks_said,
            "done": self.queue.progress(person).done,
        }
        return HTMLResponse(shell("desk/welcome.html", "Welcome", nonce_of(request), values))

    def _say(
        self, request: Request, status: int, title: str, text: str, *, home: bool = True
    ) -> Response:
        values = {"text": text, "home": home}
        return HTMLResponse(shell("error.html", title, nonce_of(request), values), status)
