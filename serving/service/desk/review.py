"""Finished labels by class, and corrections by a reviewer, on the same desk.

A correction is one more answer, under the reviewer's name; nobody else's answer is changed.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gandt.errors import AnswerError
from gandt.labeling.queue_values import NotYours
from gandt.serving.service.desk.review_rows import ReviewRow, no_rows, review_rows
from gandt.serving.service.desk.sent import read_answer, read_number, read_numbers
from gandt.serving.service.guard import nonce_of
from gandt.serving.service.pages import shell

if TYPE_CHECKING:
    from gandt.serving.service.desk.app import Desk

__all__ = ["review_routes"]

_PAGE = 120  # images on a page
_TEXT = 300  # characters of a text


class _Review:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._rows: tuple[int, list[ReviewRow], str] = (-1, [], "")
        self._turn = threading.Lock()

    def rows(self) -> tuple[list[ReviewRow], str]:
        """The rows as of now, or why there are none; worked out again only after a change."""
        with self._turn:
            changes = self.desk.queue.changes
            if self._rows[0] != changes:
                try:
                    self._rows = (changes, review_rows(self.desk.queue), "")
                except AnswerError as error:
                    self._rows = (changes, [], no_rows(error))
            return self._rows[1:]

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
            if (not label or row.label == label) and (not disputed or row.agreement < 1)
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
            "disputes": sum(row.agreement < 1 for row in every),
            "found": len(found),
            "first": first + 1,
            "last": first + len(shown),
            "before": to(first - _PAGE) if first else "",
            "after": to(first + _PAGE) if first + _PAGE < len(found) else "",
            "groups": _groups(shown, Counter(row.label for row in found), self.desk),
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
            return RedirectResponse("/review", 303)
        row = next((r for r in self.rows()[0] if (r.task, r.position) == (task, position)), None)
        note = "Review."
        if row is not None:
            said = "; ".join(f"{who}: {what}" for who, what in row.votes)
            note = f"Now {row.label} ({row.confidence:.0%} sure). {said}."
        if assignment.previous is None:
            note += " Submit to add your answer."
        return self.desk.worker_page(
            request,
            person,
            assignment,
            action=f"/review/{task}/{position}/answer",
            back="/review",
            forth=f"/review#{task}-{position}",
            note=note,
            review=True,
        )

    async def take(self, request: Request) -> Response:
        """Take a reviewer's answer."""
        person = self.desk.sessions.known(request)
        task, position = request.path_params["task"], request.path_params["position"]
        content, skipped = await read_answer(request)
        if skipped:
            raise HTTPException(422, "A finished task is not skipped: leave it as it is.")
        revision, seconds = read_numbers(request)
        await run_in_threadpool(
            lambda: self.desk.queue.correct(
                person, task, content, position=position, revision=revision, seconds=seconds
            )
        )
        return JSONResponse({"saved": True, "next": f"/review#{task}-{position}"})


def _groups(rows: list[ReviewRow], counts: Counter[str], desk: Desk) -> list[dict[str, object]]:
    groups: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        said = Counter(what for _, what in row.votes)
        groups.setdefault(row.label, []).append(
            {
                "id": f"{row.task}-{row.position}",
                "href": f"/review/{row.task}/{row.position}",
                "name": row.name.rpartition("/")[2] if row.text is None else "",
                "image": desk.shelf.address(row.image) if row.image else "",
                "text": (row.text or "")[:_TEXT],
                "confidence": f"{row.confidence:.0%}",
                "percent": round(100 * row.confidence),
                "disputed": row.agreement < 1,
                "known": row.known,
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
