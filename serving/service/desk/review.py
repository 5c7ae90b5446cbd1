"""Finished labels by class, and corrections by a reviewer, on the same desk.

A correction is one more answer, under the reviewer's name, and decides the label; nobody else's
answer is changed.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gandt.errors import AnswerError
from gandt.labeling.queue_store import Person
from gandt.labeling.queue_values import NotYours, Sent
from gandt.serving.service.desk.review_rows import (
    ReviewRow,
    no_rows,
    review_rows,
    with_decision,
)
from gandt.serving.service.desk.sent import read_answer, read_number, read_numbers
from gandt.serving.service.guard import nonce_of
from gandt.serving.service.pages import shell

if TYPE_CHECKING:
    from gandt.serving.service.desk.app import Desk

__all__ = ["review_routes"]

_PAGE = 120  # images on a page
_TEXT = 300  # characters of a text
_PATIENCE = 20  # times as long as the rows took to make, before they are made again


class _Review:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._rows: list[ReviewRow] = []
        self._problem = ""
        self._changes, self._due = -1, 0.0  # that the rows know of; when they may be made again
        self._turn = threading.Lock()

    def rows(self) -> tuple[list[ReviewRow], str]:
        """The rows, or why there are none.

        They are made again when others answered, but no oftener than every twentieth part of the
        time goes into it; what a reviewer decides is entered at once.
        """
        with self._turn:
            changes, began = self.desk.queue.changes, time.monotonic()
            if self._changes != changes and (began >= self._due or not self._rows):
                try:
                    self._rows, self._problem = review_rows(self.desk.queue), ""
                except AnswerError as error:
                    self._rows, self._problem = [], no_rows(error)
                self._changes, now = changes, time.monotonic()
                self._due = now + _PATIENCE * (now - began)
            return self._rows, self._problem

    def _decide(self, person: Person, task: int, position: int, sent: Sent) -> None:
        """Keep a decision and enter it into the rows; a decision changes no other label."""
        queue = self.desk.queue
        with self._turn:
            current = self._changes == queue.changes
            queue.correct(
                person,
                task,
                sent.content,
                position=position,
                revision=sent.revision,
                seconds=sent.seconds,
            )
            self._rows = with_decision(queue, self._rows, person, task, position)
            if current:
                self._changes = queue.changes

    def page(self, request: Request) -> Response:
        """The list."""
        person = self.desk.sessions.person(request)
        if person is None:
            return RedirectResponse("/", 303)
        every, problem = self.rows()
        asked = request.query_params
        label, disputed = asked.get("label", ""), asked.get("only") == "disputed"
        found = [
            row
            for row in every
            if (not label or row.label == label) and (not disputed or row.disputed)
        ]
        first = min(read_number(request, "from") or 0, max(0, len(found) - 1)) // _PAGE * _PAGE

        def to(start: int) -> str:
            return "/review?" + urlencode({**dict(asked), "from": str(start)})

        shown = found[first : first + _PAGE]
        now = self.desk.queue.progress(person)
        values = {
            "person": person.name,
            "problem": problem,
            "labels": [
                {"name": name, "count": count, "on": name == label}
                for name, count in Counter(row.label for row in every).most_common()
            ],
            "disputed": disputed,
            "finished": len(every),
            "open": len(self.desk.queue.tasks) - len(self.desk.queue.finished()),
            "disputes": sum(row.disputed for row in every),
            "found": len(found),
            "first": first + 1,
            "last": first + len(shown),
            "before": to(first - _PAGE) if first else "",
            "after": to(first + _PAGE) if first + _PAGE < len(found) else "",
            "groups": _groups(
                shown, Counter(row.label for row in found), self.desk, _listed(request)
            ),
            "left": now.left,
        }
        page = shell("desk/review.html", "Review", nonce_of(request), values, css="desk/review.css")
        return HTMLResponse(page)

    def look(self, request: Request) -> Response:
        """The page of one task, to correct it."""
        person = self.desk.sessions.known(request)
        task, position = request.path_params["task"], request.path_params["position"]
        try:
            assignment = self.desk.queue.look_at(person, task, position)
        except NotYours:
            return RedirectResponse("/review", 303)  # others still answer it
        rows = self._rows or self.rows()[0]  # nobody waits at a task for the whole list
        row = next((r for r in rows if (r.task, r.position) == (task, position)), None)
        note = "Review."
        if row is not None:
            by = f"decided by {row.reviewer}" if row.reviewer else f"{row.confidence:.0%} sure"
            said = "; ".join(f"{who}: {what}" for who, what in row.votes)
            note = f"Now {row.label} ({by}). {said}."
        if row is not None and row.known:
            note = f"Its known answer, {row.label}, stands; yours is kept beside. {said}."
        else:
            note += " What you submit decides."
        # One begins with an answer that makes the label, for a drawing is corrected and not redone.
        shown = None
        if assignment.previous is None:
            agreeing = {who for who, what in row.votes if what == row.label} if row else set[str]()
            given = self.desk.queue.said(task)
            shown = next((one for one in given if one[0] in agreeing), given[0] if given else None)
        return self.desk.worker_page(
            request,
            person,
            assignment,
            action=f"/review/{task}/{position}/answer?{_listed(request)}",
            back=_back(request, task, position),
            forth=_back(request, task, position),
            note=note,
            shown=shown,
            review=True,
        )

    async def take(self, request: Request) -> Response:
        """Take a reviewer's answer."""
        person = self.desk.sessions.known(request)
        task, position = request.path_params["task"], request.path_params["position"]
        content, skipped = await read_answer(request)
        if skipped:
            raise HTTPException(422, "A finished task is not skipped: leave it as it is.")
        sent = Sent(content, *read_numbers(request))
        await run_in_threadpool(lambda: self._decide(person, task, position, sent))
        return JSONResponse({"saved": True, "next": _back(request, task, position)})


def _listed(request: Request) -> str:
    """Which part of the list one came from, as the query of an address."""
    asked = request.query_params
    return urlencode({name: asked[name] for name in ("label", "only", "from") if asked.get(name)})


def _back(request: Request, task: int, position: int) -> str:
    listed = _listed(request)
    return f"/review?{listed}#{task}-{position}" if listed else f"/review#{task}-{position}"


def _groups(
    rows: list[ReviewRow], counts: Counter[str], desk: Desk, listed: str
) -> list[dict[str, object]]:
    groups: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        said = Counter(what for _, what in row.votes)
        groups.setdefault(row.label, []).append(
            {
                "id": f"{row.task}-{row.position}",
                "href": f"/review/{row.task}/{row.position}?{listed}".rstrip("?"),
                "name": row.name.rpartition("/")[2] if row.text is None else "",
                "image": desk.shelf.address(row.image) if row.image else "",
                "text": (row.text or "")[:_TEXT],
                "confidence": f"{row.confidence:.0%}",
                "percent": round(100 * row.confidence),
                "disputed": row.disputed,
                "differ": row.agreement < 1,
                "known": row.known,
                "reviewer": row.reviewer,
                "votes": [{"who": who, "what": what} for who, what in row.votes],
                "said": ", ".join(f"{what} {count}" for what, count in said.most_common()),
            }
        )
    return [{"name": name, "count": counts[name], "rows": found} for name, found in groups.items()]


def review_routes(desk: Desk) -> list[Route]:
    """The routes of the review."""
    review = _Review(desk)
    return [
        Route("/review", review.page),
        Route("/review/{task:number}/{position:number}", review.look),
        Route("/review/{task:number}/{position:number}/answer", review.take, methods=["POST"]),
    ]
