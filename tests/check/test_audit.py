"""``vitok check``: a stale verdict, a typed number, a deleted record each fail it, and the build where it sees them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.records import write_measured
from tests.fakes.released import machine_record, write_machine
from tests.fakes.sphinx import build_pages
from tests.fakes.terminal import status_of
from vitok_lib.check.audit import check
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published

PAGES = {
    "index": "# Index\n\nIt is {value}`photos-512/nano-f16x64:psnr`.\n\n```{toctree}\nclaims\nruns\n```\n",
    "claims": "# Claims\n\n```{claim-counts}\n```\n\n```{claim-overview}\n```\n\n## Evidence\n\n```{claim-list}\n```\n",
    "runs": "# Runs\n\n```{run-list}\n```\n",
}
PSNR = "psnr|rgb|u8|cap:100|per-image-mean|v1"


class Project:
    """A results folder, pages, and the book built from both."""

    def __init__(self, root: Path) -> None:
        self.results, self.book, self.site = root / "results", root / "book", root / "book" / "_build"

    def build(self, after: str = "") -> subprocess.CompletedProcess[str]:
        return build_pages(self.book, self.site, self.results, after)

    def check(self) -> list[str]:
        return check(self.site, self.book).findings

    def edit(self, page: str, old: str, new: str) -> None:
        path = self.site / f"{page}.html"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Built once; each test works on a copy."""
    project = Project(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOK_RESULTS", str(project.results))
        write_published()
        write_measured(project.results, "cpu", "nano-f16x64", "photos-512", {"psnr": [30.0, 32.0]}, signature="v1")
    record = project.results / "cpu" / "photos-512" / "nano-f16x64.json"
    record.write_text(record.read_text().replace("psnr|rgb|u8|per-image-mean|v1", PSNR))
    project.book.mkdir()
    (project.book / "conf.py").write_text(
        'extensions = ["myst_parser", "vitok_lib.report.sphinx.extension"]\nhtml_theme = "basic"\n'
    )
    for name, text in PAGES.items():
        (project.book / f"{name}.md").write_text(text, encoding="utf-8")
    done = project.build(after="assert 'torch' not in sys.modules")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    copy = Project(tmp_path / "project")
    shutil.copytree(built.results.parent, tmp_path / "project")
    monkeypatch.setenv("VITOK_RESULTS", str(copy.results))
    return copy


def test_a_fresh_book_has_no_finding(project: Project) -> None:
    assert project.check() == []


def test_a_planted_stale_verdict_is_found(project: Project) -> None:
    page = project.site / "claims.html"
    before = page.read_text(encoding="utf-8")
    start = before.index('id="claim-memory-float8"')
    assert ">refuted<" in before[start : start + 300]
    page.write_text(before[:start] + before[start:].replace(">refuted<", ">confirmed<", 1), encoding="utf-8")
    findings = project.check()
    assert any("page 'claims.html' was changed after it was built" in finding for finding in findings)
    assert any(
        "claim 'memory-float8' is shown as 'confirmed' and its rule now says 'refuted'" in finding
        for finding in findings
    )


def test_a_verdict_that_a_new_record_changes_is_found_until_the_book_is_built_again(project: Project) -> None:
    write_machine(project.results, machine_record("flux", "memory", 4096, {"model_peak": 30.0}))
    findings = project.check()
    assert "record 'h200/memory-4096/flux' came after the book was built: build the book again" in findings
    assert any("claim 'flux-at-4096' is shown as 'not measured' and its rule now says 'refuted'" in f for f in findings)
    assert project.build().returncode == 0
    assert project.check() == []


def test_a_number_that_was_changed_in_the_book_is_found(project: Project) -> None:
    project.edit("index", "31.00", "39.00")
    (finding,) = project.check()
    assert "page 'index.html' was changed after it was built" in finding


def test_a_record_that_changed_makes_its_numbers_stale(project: Project) -> None:
    write_measured(project.results, "cpu", "nano-f16x64", "photos-512", {"psnr": [20.0, 22.0]})
    findings = project.check()
    assert any("record 'cpu/photos-512/nano-f16x64' changed after the book was built" in found for found in findings)


def test_a_deleted_record_is_found_and_fails_the_build(project: Project) -> None:
    for path in (project.results / "cpu" / "photos-512").iterdir():
        path.unlink()
    assert project.check() == [
        "the built book shows record 'cpu/photos-512/nano-f16x64', which is no longer there: build the book again",
    ]
    done = project.build()
    assert done.returncode != 0
    assert "no record 'photos-512/nano-f16x64'" in done.stderr


def test_a_deleted_published_record_fails_check_and_build(project: Project) -> None:
    (project.results / "published" / "div8k-1024" / "flux@evaluation-summary.json").unlink()
    findings = project.check()
    assert any("flux@evaluation-summary' is missing" in finding for finding in findings)
    assert any("the document prints no 'psnr' of flux in 'div8k-1024'" in finding for finding in findings)
    done = project.build()
    assert done.returncode != 0
    assert "page 'claims': the document prints no" in done.stderr


def test_a_planted_typed_number_is_found_and_fails_the_build(project: Project) -> None:
    page = project.book / "index.md"
    page.write_text(page.read_text() + "\nIt reaches 36.67 dB.\n", encoding="utf-8")
    told = "page 'index.md', line 10, types the result '36.67 dB': let a role or a directive read it from a record"
    assert told in project.check()
    done = project.build()
    assert done.returncode != 0
    assert told in done.stderr


@pytest.mark.parametrize("name", ["index.html", "pages.json"])
def test_a_book_that_is_not_whole_is_told(project: Project, name: str) -> None:
    (project.site / name).unlink()
    if name == "index.html":
        with pytest.raises(RequestError, match="there is no built book in"):
            project.check()
    else:
        (finding,) = project.check()
        assert "no readable 'pages.json'" in finding


def test_a_bad_record_is_one_finding_and_the_book_is_still_read(project: Project) -> None:
    (project.results / "cpu" / "photos-512" / "nano-f16x64.json").write_text("{")
    findings = project.check()
    assert sum("is not valid" in finding for finding in findings) == 1
    assert any("changed after the book was built" in finding for finding in findings)


def test_the_command_ends_with_0_without_findings_and_with_1_and_a_sentence_for_each(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("check", "--site", str(project.site))
    assert status_of(monkeypatch, *words) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "0 findings" in err
    (project.results / "cpu" / "photos-512" / "nano-f16x64.json").write_bytes(b"\xff{")
    project.edit("index", "31.00", "39.00")
    assert status_of(monkeypatch, *words) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4  # the file, its table, its copy in the book, and the page
    assert "Traceback" not in err
    status_of(monkeypatch, *words, "--json")
    assert [row["finding"] for row in json.loads(capsys.readouterr().out)] == out.splitlines()


@pytest.mark.parametrize("missing", ["site", "results"])
def test_the_command_ends_with_2_where_there_is_nothing_to_check(
    project: Project, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = project.site
    if missing == "results":
        shutil.rmtree(project.results)
    else:
        site = project.site / "none"
    assert status_of(monkeypatch, "check", "--site", str(site)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("change", [lambda text: text, lambda text: text.replace("vk-verdict", "other")])
def test_a_claim_that_lost_its_verdict_is_found(project: Project, change: Callable[[str], str]) -> None:
    page = project.site / "claims.html"
    text = page.read_text(encoding="utf-8")
    page.write_text(change(text), encoding="utf-8")
    findings = project.check()
    assert bool(findings) == (change(text) != text)
    if findings:
        assert any("claim 'psnr-4096' is not on the built page of claims" in finding for finding in findings)
