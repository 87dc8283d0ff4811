"""Where records lie: names of files, of studies and of the results folder, whatever the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.records import store
from vitok_lib.records.store import atomic, check_study, record_path, results_root, slug


def test_a_record_lies_in_its_study_benchmark_and_resolution(results: Path) -> None:
    assert record_path("cpu", "photos", 512, "nano-f16x64") == results / "cpu" / "photos-512" / "nano-f16x64.json"


def test_settings_follow_the_name(results: Path) -> None:
    path = record_path("cpu", "photos", 512, "5B-f16x64", "window=64")
    assert path == results / "cpu" / "photos-512" / "5B-f16x64@window=64.json"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Td4-T/1x16x64", "Td4-T_1x16x64"),
        ("../../etc/passwd", "etc_passwd"),
        ("a b\tc", "a_b_c"),
        ("", "_"),
        ("///", "_"),
        ("nano-f16x64", "nano-f16x64"),
    ],
)
def test_any_text_makes_one_file_name(text: str, expected: str) -> None:
    assert slug(text) == expected


@pytest.mark.parametrize("text", [".", "..", "../", "/.."])
def test_a_name_never_leaves_the_results(results: Path, text: str) -> None:
    path = record_path(text, text, 1, text)
    assert path.resolve().is_relative_to(results.resolve())


def test_the_results_folder_may_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "mine"))
    assert results_root() == tmp_path / "mine"


def test_in_a_clone_the_results_are_the_clones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITOK_RESULTS")
    assert results_root() == Path(store.__file__).resolve().parents[2] / "results"


def test_the_results_folder_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VITOK_RESULTS", "~/mine")
    assert results_root() == tmp_path / "mine"


def test_a_name_too_long_for_a_file_system_is_cut_and_stays_its_own(results: Path) -> None:
    long = "n" * 300
    paths = [record_path("local", f"{long}{end}", 512, f"folder:{long}{end}", "window=64") for end in "ab"]
    assert paths[0] != paths[1]
    for path in paths:
        assert max(len(part) for part in path.parts) <= 220  # leaves room for a journal's and a temporary file's ending
        assert path.suffix == ".json"
        with atomic(path.with_name(f"{path.stem}.{'0' * 12}.partial.jsonl")) as temporary:
            temporary.touch()


@pytest.mark.parametrize("study", ["published", "", ".", "..", "a/b", "a b", "caf\udce9", "n" * 300, "-é"])
def test_a_study_that_is_no_folder_name_or_somebody_elses_is_refused(study: str) -> None:
    with pytest.raises(RequestError, match="study"):
        check_study(study)


@pytest.mark.parametrize("study", ["local", "h100", "cpu-2026.11", "my_gpu"])
def test_a_study_may_have_any_plain_name(study: str) -> None:
    check_study(study)


def test_a_home_folder_of_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", "~nobody-of-this-name/x")
    with pytest.raises(RequestError, match=r"VITOK_RESULTS .*~nobody-of-this-name"):
        results_root()


@pytest.mark.parametrize("folder", ["n" * 300, "caf\udce9", "line\nbreak"])
def test_a_results_folder_that_no_record_can_lie_in_is_named(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", f"/tmp/{folder}")
    with pytest.raises(RequestError, match="VITOK_RESULTS"):
        results_root()
