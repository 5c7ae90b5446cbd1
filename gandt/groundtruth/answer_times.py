"""Which of two answers came first. Pure functions of the texts that files carry."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from gandt.groundtruth.label_values import number

__all__ = ["earlier", "moment"]

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)


def moment(text: str | None) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone) or of a number."""
    if text is None:
        return None
    if (seconds := number(text)) is not None:
        return seconds
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    day, minute, second, fraction, zone = found.groups()
    offset = "+00:00" if zone is None or zone.isalpha() else zone
    offset = offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    micro = (fraction or "0")[:6].ljust(6, "0")
    try:
        stamp = f"{day}T{minute or '00:00'}{second or ':00'}.{micro}{offset}"
        return datetime.fromisoformat(stamp).astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None


def earlier(one: str | None, other: str | None) -> bool:
    """Whether both times are known and the first is before the second."""
    first, second = moment(one), moment(other)
    return first is not None and second is not None and first < second
