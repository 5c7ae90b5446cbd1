"""The labeling desk over HTTP: a worker page for each task, and answers back into the queue.

`desk_routes` gives the routes, so that they can stand beside others in one application, and
`desk_app` the whole application behind its guard. A page is rendered for one person and one task
and never kept by the browser; an answer is in the queue, and so on the disk, before the reply says
so. Blocking work is done by threads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gandt.errors import GandtError, UsageError
from gandt.labeling.queue import Queue
from gandt.labeling.queue_store import Person
from gandt.labeling.queue_tasks import page_input, shown_images
from gandt.labeling.queue_values import Assignment, Conflict, NotYours
from gandt.labeling.render import render_page
from gandt.labeling.templates import PAGES
from gandt.labeling.widgets import PREFIX
from gandt.serving.service.desk.bar import put_bar
from gandt.serving.service.desk.door import Door
from gandt.serving.service.desk.progress import progress_json
from gandt.serving.service.desk.sent import read_answer, read_number, read_numbers
from gandt.serving.service.desk.sessions import Sessions
from gandt.serving.service.guard import Guard, nonce_of
from gandt.serving.service.images import ImageShelf
from gandt.serving.service.pages import shell

__all__ = ["Desk", "desk_app", "desk_routes"]

_LOG = logging.getLogger(__name__)
_FAULT = "The desk could not read or keep something: tell whoever runs it. What was saved is safe."


class Desk:
    """One queue, shown to people.

    Parameters
    ----------
    people
        Who may come in, each by their link; where there are none, whoever comes may say a name.
    review
        Whether finished labels may be looked at and corrected.
    """

    def __init__(
        self, queue: Queue, people: Sequence[Person] = (), *, review: bool = False
    ) -> None:
        self.queue, self.may_review = queue, review
        self.sessions = Sessions(queue, people)
        images = (*shown_images(queue.tasks.values()), *queue.examples)
        self.shelf = ImageShelf(images, queue.secret)
        self.door = Door(queue, self.sessions, start="/review" if review else "/")

    def home(self, request: Request) -> Response:
        """The task in hand or the next one; else what there is to say."""
        person = self.sessions.person(request)
        if person is None:
            return self.door.stranger(request)
        assignment = self.queue.next(person)
        if assignment is None:
            return self._rest(request, person)
        task = assignment.task.number
        back = self.queue.before(person)
        return self.worker_page(
            request,
            person,
            assignment,
            action=f"/task/{task}/answer",
            back=None if back is None else f"/task/{back}",
        )

    def _rest(self, request: Request, person: Person) -> Response:
        now, back = self.queue.progress(person), self.queue.before(person)
        waiting = now.left > 0 and now.in_hand > 0
        values = {
            "person": person.name,
            "waiting": waiting,
            "in_hand": "1 task is" if now.in_hand == 1 else f"{now.in_hand:,} tasks are",
            "missing": now.places,
            "done": now.done,
            "skipped": now.skipped,
            "answers": now.answers,
            "people": now.people,
            "seconds_each": "" if now.seconds_each is None else f"{now.seconds_each:.1f}",
            "folder": self.queue.folder.name,
            "back": "" if back is None else f"/task/{back}",
            "review": self.may_review,
        }
        title = "Waiting" if waiting else "Done"
        return HTMLResponse(shell("desk/rest.html", title, nonce_of(request), values))

    def worker_page(
        self,
        request: Request,
        person: Person,
        assignment: Assignment,
        *,
        action: str,
        back: str | None = None,
        forth: str = "/",
        note: str = "",
        shown: tuple[str, dict[str, object]] | None = None,
        review: bool = False,
    ) -> Response:
        """Render the page for a task, with the bar above it.

        Parameters
        ----------
        shown
            Somebody else's answer to begin with, and their name, where this person has none.
        """
        queue, task = self.queue, assignment.task
        nonce = nonce_of(request)
        page = render_page(
            queue.template,
            page_input(task, queue.labels, hidden=assignment.hidden, ours=queue.page in PAGES),
            grant_read_access=self.shelf.address,
            stand_in=True,
            action=action,
            nonce=nonce,
        )
        ahead = None if assignment.revision or review else queue.peek(person, task.number)
        images = () if ahead is None else shown_images([ahead])
        desk = {
            "task": task.number,
            "revision": assignment.revision,
            "action": action,
            "back": back,
            "forth": forth,
            "note": note,
            "previous": assignment.previous if shown is None else shown[1],
            "whose": "" if shown is None else shown[0],
            "saved": queue.just_saved(person),
            "swaps": _is_ours(queue.page),
            "ahead": [self.shelf.address(uri) for uri in images],
            "person": person.name,
            "who": "/who" if self.sessions.open_door else None,
            "review": review,
            "progress": None if review else progress_json(queue.progress(person)),
        }
        image = shown_images([task])[0] if task.subject == "image" else None
        address = None if image is None else self.shelf.address(image)
        return HTMLResponse(put_bar(page, desk, nonce, image=address))

    def earlier(self, request: Request) -> Response:
        """A task that this person answered, to look at the answer or to change it."""
        person, task = self.sessions.known(request), request.path_params["task"]
        try:
            assignment = self.queue.again(person, task)
        except NotYours:
            return RedirectResponse("/", 303)  # not theirs yet, or given back
        back, forth = self.queue.before(person, task), self.queue.after(person, task)
        return self.worker_page(
            request,
            person,
            assignment,
            action=f"/task/{task}/answer",
            back=None if back is None else f"/task/{back}",
            forth="/" if forth is None else f"/task/{forth}",
            note="An earlier task.",
        )

    async def take_answer(self, request: Request) -> Response:
        """Take an answer, or the reason why there is none; the reply comes when it is safe."""
        person, task = self.sessions.known(request), request.path_params["task"]
        content, skipped = await read_answer(request)
        revision, seconds = read_numbers(request)

        def save() -> dict[str, object]:
            self.queue.answer(
                person, task, content, revision=revision, seconds=seconds, skipped=skipped
            )
            # After a correction one goes on through the later ones, as one came.
            forth = self.queue.after(person, task) if revision else None
            if forth is not None:
                return {"next": f"/task/{forth}"}
            if "ahead" not in request.query_params:
                return {"next": "/"}
            # The bar puts the page in place of its own, and one way to the server is saved.
            page = self.home(request)
            return {"next": "/", "page": bytes(page.body).decode(), "nonce": nonce_of(request)}

        return JSONResponse({"saved": True, **await run_in_threadpool(save)})

    def image(self, request: Request) -> Response:
        """Send an image to those who may be here."""
        self.sessions.known(request)
        return self.shelf.respond(request)

    def progress(self, request: Request) -> Response:
        """Numbers for the bar; a task named here is still being worked at."""
        person = self.sessions.known(request)
        task = read_number(request, "task")
        if task is not None:
            self.queue.renew(person, task)
        now = progress_json(self.queue.progress(person))
        ready = self.queue.peek(person, -1) is not None
        return JSONResponse({**now, "ready": ready})


def _is_ours(page: str) -> bool:
    """Whether a page is known to stand being put in place of another without a load."""
    return page in PAGES or page.startswith(PREFIX)


def desk_routes(desk: Desk) -> list[Route]:
    """The routes of a desk."""
    return [
        Route("/", desk.home),
        Route("/name", desk.door.take_name, methods=["POST"]),
        Route("/enter/{token}", desk.door.enter),
        Route("/welcome", desk.door.welcome),
        Route("/task/{task:number}", desk.earlier),
        Route("/task/{task:number}/answer", desk.take_answer, methods=["POST"]),
        Route("/progress", desk.progress),
        Route("/who", desk.door.who),
        Route("/image/{id}", desk.image),
        Route("/favicon.ico", lambda request: Response(status_code=204)),
        Route("/healthz", lambda request: JSONResponse({"ok": True})),
    ]


def desk_app(desk: Desk, *, names: Iterable[str] = ()) -> Guard:
    """Make the application: the routes of a desk behind the guard.

    Parameters
    ----------
    names
        Host names of this machine; see `Guard`.
    """
    routes = desk_routes(desk)
    if desk.may_review:
        from gandt.serving.service.desk.review import review_routes

        routes += review_routes(desk)
    handlers = {HTTPException: _refused, GandtError: _failed}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), names)


def _wants_page(request: Request) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _refused(request: Request, error: Exception) -> Response:
    found = cast(HTTPException, error)
    if _wants_page(request):
        titles = {401: "The desk does not know you", 404: "There is nothing here"}
        text = "Go back to the tasks." if found.status_code == 404 else str(found.detail)
        values = {"text": text, "home": True}
        title = titles.get(found.status_code, "That did not work")
        page = shell("error.html", title, nonce_of(request), values)
        return HTMLResponse(page, found.status_code)
    return JSONResponse({"error": found.detail}, found.status_code, headers=found.headers)


def _failed(request: Request, error: Exception) -> Response:
    refusals: dict[type[Exception], int] = {NotYours: 403, Conflict: 409, UsageError: 422}
    status = refusals.get(type(error))
    if status is None:  # what it says is for whoever runs the desk, paths and all
        _LOG.error("gandt: %s", error)
        return _refused(request, HTTPException(500, _FAULT))
    return _refused(request, HTTPException(status, str(error)))
