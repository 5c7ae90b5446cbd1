"""The head of a self-contained page: title, style, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib

from gandt.report.contact_sheet_parts import safe

__all__ = ["page_head"]


def page_head(title: str, style: str, script: str | None = None) -> list[str]:
    """Give the lines from the doctype to `</head>`.

    The policy admits pictures that lie in the page, this style, and, where there is one, this
    script, which the page brings further down; nothing from any server.
    """
    scripts = "" if script is None else f"script-src 'sha256-{_digest(script)}'; "
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{_digest(style)}'; {scripts}"
        "base-uri 'none'; form-action 'none'"
    )
    return [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{safe(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
    ]


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
