"""Names of pages to be written: a slip must not put one in place of labels or of a manifest."""

from __future__ import annotations

from gandt.errors import UsageError

__all__ = ["check_page_name"]


def check_page_name(option: str, path: str | None, *, pdf: bool = False) -> None:
    """Refuse a name that no page would have.

    Raises
    ------
    UsageError
        It does not end in .html or .htm; of a PDF, in .pdf.
    """
    what, suffixes = ("PDF", (".pdf",)) if pdf else ("page", (".html", ".htm"))
    if path is not None and not path.lower().endswith(suffixes):
        raise UsageError(
            f"{option} {path} is no name of a {what}: name a file that ends in {suffixes[0]}, as "
            f"round1{suffixes[0]}."
        )
