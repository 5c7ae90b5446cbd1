"""The bar above a worker page: progress, back, skip, and who is sitting there."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from markupsafe import Markup

from gandt.serving.service.pages import asset, fill

__all__ = ["put_bar"]

_BODY = re.compile(r"<body\b[^>]*>", re.I)
_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.I)


def put_bar(page: str, desk: Mapping[str, object], nonce: str, *, image: str | None = None) -> str:
    """Put the bar at the beginning of a worker page, with what it has to know.

    Parameters
    ----------
    image
        Address of the picture that the page is about, to be loaded before its scripts ask for it.
    """
    bar = fill(
        "desk/bar.html",
        {
            "desk": dict(desk),
            "nonce": html.escape(nonce),
            "image": image,
            "css": Markup(asset("theme.css") + asset("desk/bar.css")),
            "script": Markup(asset("desk/bar.js")),
        },
    )
    found = _BODY.search(page) or _DOCTYPE.match(page)
    at = 0 if found is None else found.end()
    return page[:at] + "\n" + bar + page[at:]
