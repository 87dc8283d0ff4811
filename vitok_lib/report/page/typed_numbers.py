"""Finding results that somebody typed into a page, where a role or a directive should have read a record.

A typed result is, in prose, a number with decimals, or one with the unit of something that is measured: dB, a time, a
rate, a memory, an amount of work, per cent, or a factor such as 2×. Sizes in px, counts of images, dimensions such as
11 × 11 and years say how something is done and are no results; neither are the constants of :data:`PROTOCOL`. Code,
commands, roles and directives are no prose; what an admonition says is. A count without a unit goes unseen: no rule
tells it from a number of tokenizers or of sections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PROTOCOL = frozenset({"1.5", "100 dB", "95 %", "5 %", "64 MiB", "100 %"})
"""σ of the SSIM window, PSNR of equal images, level of intervals and what may miss them, least peak, the whole."""

_SPACE = r"[ \N{NO-BREAK SPACE}]?"
_NUMBER = r"(?<![\w.,])\d[\d,]*(?:\.\d+)?"
_UNITS = (
    r"dB|ms|s|seconds?|min|minutes?|h|hours?|img/s|images? (?:a|per) second|[KMGT]i?B|kB|"
    r"[GTP]FLOPs?(?:/s)?|[MG]Hz|bit/px|bpp|%|percent|per cent"
)
_WITH_UNIT = re.compile(rf"{_NUMBER}{_SPACE}(?:(?:{_UNITS})(?![\w/])|×(?!\s*\d))")
_WITH_DECIMALS = re.compile(r"(?<![\w.,])\d[\d,]*\.\d+(?![\w.]*\d)")

_FENCE = re.compile(r"\s*(?P<fence>`{3,}|~{3,})(?:\{(?P<directive>[\w-]+)\})?")
_ADMONITIONS = frozenset({"note", "tip", "hint", "important", "warning", "caution", "attention", "admonition"})
_NO_PROSE = (
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"(?P<ticks>`+)[^`]+(?P=ticks)"),
    re.compile(r"\]\([^)\n]*\)"),
    re.compile(r"<[^>\n]+>|https?://\S+"),
)


@dataclass(frozen=True)
class TypedResult:
    """A typed result and its line."""

    line: int
    text: str


def typed_results(page: str) -> list[TypedResult]:
    """The results that the Markdown of ``page`` types, in the order of its lines."""
    prose = "\n".join(_prose_lines(page))
    for pattern in _NO_PROSE:
        prose = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), prose)
    found = {}
    for pattern in (_WITH_DECIMALS, _WITH_UNIT):
        for match in pattern.finditer(prose):
            text = match[0].replace("\N{NO-BREAK SPACE}", " ")
            if text not in PROTOCOL:
                found[match.start()] = TypedResult(prose.count("\n", 0, match.start()) + 1, text)
    return [found[place] for place in sorted(found)]


def sentence(page: str, result: TypedResult) -> str:
    """What is wrong and the way out."""
    return (
        f"page '{page}', line {result.line}, types the result '{result.text}': "
        "let a role or a directive read it from a record"
    )


def _prose_lines(page: str) -> Iterator[str]:
    """The lines of ``page``; those of code and of directives are blank."""
    code, admonitions = "", 0
    for line in page.splitlines():
        match = _FENCE.match(line)
        bare = match is not None and line.strip() == match["fence"]
        if match is None:
            yield "" if code else line
            continue
        yield ""
        if code:
            code = "" if bare and match["fence"].startswith(code) else code
        elif bare and admonitions:
            admonitions -= 1
        elif match["directive"] in _ADMONITIONS:
            admonitions += 1
        else:
            code = match["fence"]
