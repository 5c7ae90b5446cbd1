"""Type in PDFs: any text, set in the fonts that are at hand.

Latin text is set in Helvetica, which every reader of PDFs has. What it lacks is taken from Vera,
which comes with reportlab (central European letters, mathematics), then from a font of the system
if one of a few well-known ones is installed (Greek, Cyrillic, Hebrew, Arabic; embedded as far as
used), then from the Chinese, Japanese and Korean fonts that PDF readers supply themselves. What no
font has is set as a lozenge, and counted. So a text beyond Vera's letters may give other bytes on
a machine with other fonts. Right-to-left words are turned around; Arabic letters are not joined.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

__all__ = ["Type"]

_MISSING = "\N{LOZENGE}"
_SYSTEM_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "C:/Windows/Fonts/arial.ttf",
)
_CID = {"han": "STSong-Light", "kana": "HeiseiKakuGo-W5", "hangul": "HYGothic-Medium"}


class Type:
    """Measures and sets lines of text; knows which font has which character."""

    def __init__(self) -> None:
        self.missing: set[str] = set()  # characters that no font has
        vera = Path(reportlab.__file__).parent / "fonts"
        self._embedded = [
            (
                self._embed("GT-Vera", vera / "Vera.ttf"),
                self._embed("GT-VeraBd", vera / "VeraBd.ttf"),
            )
        ]
        self._system_looked_up = False
        self._fonts: dict[tuple[str, bool], str | None] = {}

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """Measure a line."""
        widths = (pdfmetrics.stringWidth(part, font, size) for font, part in self._runs(text, bold))
        return float(sum(widths))

    def draw(
        self, canvas: Canvas, x: float, y: float, text: str, size: float, bold: bool = False
    ) -> None:
        """Set a line with its left end on the baseline at (x, y), in the current color."""
        for font, part in self._runs(text, bold):
            canvas.setFont(font, size)
            canvas.drawString(x, y, part)
            x += pdfmetrics.stringWidth(part, font, size)

    def fit(self, text: str, size: float, width: float, bold: bool = False) -> str:
        """Cut a line so that it is at most so wide; an ellipsis says so."""
        plain = " ".join(text.split())
        if self.width(plain, size, bold) <= width:
            return plain
        low, high = 0, len(plain)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(plain[:middle].rstrip() + "…", size, bold) <= width:
                low = middle
            else:
                high = middle - 1
        return plain[:low].rstrip() + "…"

    def wrap(self, text: str, size: float, width: float, most: int = 1_000) -> list[str]:
        """Break a text into lines of at most so much width; the last of `most` is cut."""
        lines: list[str] = []
        for paragraph in text.splitlines() or [""]:
            line = ""
            for word in paragraph.split():
                longer = f"{line} {word}" if line else word
                if self.width(longer, size) <= width:
                    line = longer
                    continue
                if line:
                    lines.append(line)
                while self.width(word, size) > width and len(word) > 1:
                    cut = max(1, int(len(word) * width / self.width(word, size)) - 1)
                    lines.append(word[:cut])
                    word = word[cut:]
                line = word
            lines.append(line)
        if len(lines) > most:
            rest = " ".join(lines[most - 1 :])
            lines = [*lines[: most - 1], self.fit(f"{rest} …", size, width)]
        return lines

    # ------------------------------------------------------------------------------ fonts

    def _runs(self, text: str, bold: bool) -> list[tuple[str, str]]:
        """Cut a line, in the order of the eye, into stretches of one font."""
        runs: list[tuple[str, str]] = []
        for char in _visual(text):
            if unicodedata.category(char) in ("Cf", "Mn", "Cc") and not char.isspace():
                continue  # joiners, variation selectors, marks: nothing to see on their own
            font = self._font(char, bold)
            if font is None:
                self.missing.add(char)
                font, char = self._embedded[0][bold], _MISSING
            if runs and runs[-1][0] == font:
                runs[-1] = (font, runs[-1][1] + char)
            else:
                runs.append((font, char))
        return runs

    def _font(self, char: str, bold: bool) -> str | None:
        key = (char, bold)
        if key not in self._fonts:
            self._fonts[key] = self._find(char, bold)
        return self._fonts[key]

    def _find(self, char: str, bold: bool) -> str | None:
        try:
            char.encode("cp1252")
            return "Helvetica-Bold" if bold else "Helvetica"
        except UnicodeEncodeError:
            pass
        for pair in self._embedded:
            if _has(pair[bold], char):
                return pair[bold]
        if not self._system_looked_up:
            self._system_looked_up = True
            self._add_system_font()
            return self._find(char, bold)
        script = _script(char)
        if script is None:
            return None
        name = _CID[script]
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(UnicodeCIDFont(name))
        return name

    def _add_system_font(self) -> None:
        for path in map(Path, _SYSTEM_FONTS):
            if path.is_file():
                try:
                    name = self._embed("GT-System", path)
                except (TTFError, OSError):
                    continue
                self._embedded.append((name, name))
                return

    @staticmethod
    def _embed(name: str, path: Path) -> str:
        # Subsets belong to one document: a font object is made anew for each.
        pdfmetrics.registerFont(TTFont(name, str(path)))
        return name


def _has(font: str, char: str) -> bool:
    face = pdfmetrics.getFont(font).face
    return ord(char) in face.charToGlyph


def _script(char: str) -> str | None:
    name = unicodedata.name(char, "")
    if name.startswith("CJK UNIFIED") and ord(char) <= 0xFFFF:
        return "han"
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return "kana"
    if name.startswith("HANGUL SYLLABLE"):
        return "hangul"
    return "han" if "\u3000" <= char <= "\u303f" or "\uff01" <= char <= "\uff5e" else None


def _visual(text: str) -> str:
    """Order a line as it is seen: words of right-to-left scripts are turned around."""
    if not any(unicodedata.bidirectional(char) in ("R", "AL") for char in text):
        return text
    runs: list[tuple[bool, str]] = []
    for char in text:
        kind = unicodedata.bidirectional(char)
        strong = kind in ("R", "AL")
        if runs and (kind not in ("L", "R", "AL", "EN", "AN") or strong == runs[-1][0]):
            runs[-1] = (runs[-1][0], runs[-1][1] + char)
        else:
            runs.append((strong, char))
    if runs[0][0]:
        runs.reverse()
    turned = []
    for rtl, run in runs:
        body = run.rstrip() if rtl else run
        turned.append(body[::-1] + run[len(body) :] if rtl else run)
    return "".join(turned)
