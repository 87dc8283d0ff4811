"""The page of questions quotes sentences that the code prints: each is found among the texts of the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from vitok_lib.project import ROOT

GAP = "…"
PAGE = (ROOT / "book" / "faq.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^### `([^`]+)`$", PAGE, flags=re.MULTILINE)


def _texts() -> Iterator[str]:
    """Every text of the library's sources, with a gap for each value that it is given."""
    for path in sorted((ROOT / "vitok_lib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


TEXTS = list(_texts())


def test_the_page_quotes_sentences() -> None:
    assert len(QUOTED) > 10
    assert len(set(QUOTED)) == len(QUOTED)


@pytest.mark.parametrize("quoted", QUOTED)
def test_the_code_prints_what_is_quoted(quoted: str) -> None:
    pattern = re.compile(".*".join(re.escape(fixed) for fixed in quoted.split(GAP)), flags=re.DOTALL)
    assert any(pattern.fullmatch(text) for text in TEXTS), f"no text of the sources reads: {quoted}"


def test_a_sentence_that_nobody_prints_is_found_out() -> None:
    pattern = re.compile(".*".join(map(re.escape, "no recrod '…'; …".split(GAP))))
    assert not any(pattern.fullmatch(text) for text in TEXTS)


def test_every_question_has_a_cause_and_a_fix() -> None:
    answers = re.split(r"^### .*$", PAGE, flags=re.MULTILINE)[1:]
    assert all("**Cause.**" in answer and "**Fix.**" in answer for answer in answers)
