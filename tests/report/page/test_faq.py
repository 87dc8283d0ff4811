"""The page of questions has an entry for each code of an error, and quotes sentences that the code prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from vitok_lib.cli.app import main
from vitok_lib.errors import CODES
from vitok_lib.project import ROOT

GAP = "…"
PAGE = (ROOT / "book" / "faq.md").read_text(encoding="utf-8")
CODED = dict(re.findall(r"^### `([a-z0-9-]+)`\n\n`([^`]+)`$", PAGE, flags=re.MULTILINE))
QUOTED = [*CODED.values(), *re.findall(r"^### `([^`]*…[^`]*)`$", PAGE, flags=re.MULTILINE)]


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


def test_every_code_has_an_entry_and_no_other_entry_has_one() -> None:
    assert CODED.keys() == CODES.keys()


def _raised() -> Iterator[tuple[str, str]]:
    """The code and the sentence of each error that the sources make with a code."""
    for path in sorted((ROOT / "vitok_lib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RequestError":
                for given in node.keywords:
                    if given.arg == "code" and isinstance(given.value, ast.Constant):
                        yield given.value.value, "".join(_parts(node.args[0]))


def _parts(text: ast.expr) -> Iterator[str]:
    for part in text.values if isinstance(text, ast.JoinedStr) else [text]:
        yield str(part.value) if isinstance(part, ast.Constant) else GAP


def test_every_code_is_raised_with_the_sentence_of_its_entry() -> None:
    raised = list(_raised())
    assert {code for code, _ in raised} == CODES.keys()
    for code, quoted in CODED.items():
        pattern = re.compile(".*".join(map(re.escape, quoted.split(GAP))), flags=re.DOTALL)
        assert any(pattern.fullmatch(text) for known, text in raised if known == code), code


def test_the_command_line_prints_the_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["vitok", "eval", "jpeg", "--images", "nowhere/at/all", "--resolution", "32"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("vitok: [images-not-found] ")
