"""The command line: exit statuses, one-sentence errors, and answers within a second."""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from vitok_lib import notebooks
from vitok_lib.cli.app import main
from vitok_lib.errors import RequestError
from vitok_lib.images import wallpapers
from vitok_lib.measure.speed import peak_rates
from vitok_lib.project import ROOT
from vitok_lib.report import build

Vitok = Callable[..., subprocess.CompletedProcess[str]]
VITOK = [sys.executable, "-c", "from vitok_lib.cli.app import main; main()"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["eval", "nano-f16", "--images", "photos", "--resolution", "64"],
            "unknown tokenizer 'nano-f16'; did you mean",
        ),
        (["eval", "pca-f16x64", "--images", "photos", "--resolution", "64", "--shard", "4/3"], "shard '4/3' must be"),
        (["eval", "pca-f16x64", "--images", "photo", "--resolution", "64"], "image set 'photo'; did you mean photos"),
        (["eval", "pca-f16x64", "--images", "photos", "--resolution", "0"], "not 0"),
        (["eval", "pca-f16x64", "--images", "/no/folder", "--resolution", "64"], "there is no folder '/no/folder'"),
        (["eval", "pca-f16x64", "--images", "photos", "--resolution", "64", "--metrics", "sism"], "did you mean ssim"),
        (["eval", "Q/16x64", "--images", "photos", "--resolution", "64"], "side 'Q'"),
        (["eval", "pca-f16x64", "--images", "photos", "--resolution", "64", "--time-limit", "0"], "time limit (=0)"),
        (["eval", "pca-f16x64", "--images", "photos", "--resolution", "64", "--on-oom", "tile"], "did you mean tiling"),
        (
            ["eval", "pca-f16x64", "--images", "photos", "--resolution", "64", "--rule", "crop"],
            "did you mean cap or centre-crop",
        ),
        (["eval", "jpeg:q=0", "--images", "photos", "--resolution", "64"], "jpeg:q=QUALITY (1 to 100)"),
        (
            ["eval", "pca-f16x64", "--images", "photos", "--resolution", "64", "--path", "fp8"],
            "'fp8' is made for ViTok",
        ),
        (["eval", "nano-f16x64", "--images", "photos", "--resolution", "64", "--path", "fst"], "did you mean fast"),
        (["speed", "nano-f16x64", "--resolution", "64", "--path", "compield"], "did you mean compiled"),
        (["speed", "nano-f16x64", "--resolution", "64", "--metrics", "ms-ssim"], "name an image set too"),
        (["speed", "nano-f16x64", "--resolution", "64", "--size", "64"], "size '64' must read HEIGHTxWIDTH"),
        (["speed", "nano-f16x64", "--resolution", "64", "--size", "32x48"], "must be the longer side of 32 × 48"),
        (["plan", "nano-f16x64", "--resolution", "64", "--path", "fp4"], "did you mean fp8"),
        (["conform", "no_such_module:make"], "tokenizer 'no_such_module:make' cannot be imported"),
        (["run", "div8q"], "unknown notebook 'div8q'; did you mean div8k"),
        (["run", "div8k", "-p", "samples", "many"], "parameter 'samples' must be a whole number, not 'many'"),
        (["speed", "nano-f16x64", "--resolution", "64", "--seconds", "nan"], "seconds (=nan) must be 0 or more"),
        (["run", "--profile", "cpu", "-p", "samples=1"], "profile 'cpu' has its own parameters and outputs"),
        (["speed", "nano-f16x64", "--resolution", "64", "--preset", ""], "preset (='') is empty"),
        (
            ["eval", "jpeg", "--images", "photos", "--resolution", "8", "--subset-seed", "-1"],
            "subset seed (=-1) must be",
        ),
        (["plan", "--profile", "released", "--gpus", "0"], "GPUs '0' must be whole numbers of 1 or more"),
        (["plan", "--profile", "relesed"], "unknown profile 'relesed'; did you mean released"),
        (["plan", "--gpus", "8", "--resolution", "64"], "add --profile"),
        (["plan", "nano-f16x64"], "give --resolution in pixels"),
        (["report", "--profile", "cpuu"], "unknown profile 'cpuu'; did you mean cpu"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_wrong_request_is_one_sentence_and_status_2(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vitok", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def _said(
    words: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["vitok", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def vitok(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vitok:
    """Runs the command in this process, which has imported torch already."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        status, out, err = _said(words, monkeypatch, capsys)
        return subprocess.CompletedProcess(words, status, out, err)

    return run


def test_a_folder_without_records_is_named_and_no_blank_line(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(*words: str) -> tuple[int, str, str]:
        return _said(["list", "records", *words], monkeypatch, capsys)

    assert listed() == (0, "", f"vitok: there is no folder of results '{results}'; VITOK_RESULTS names another\n")
    (results / "empty" / "photos-64").mkdir(parents=True)
    (results / "file").touch()
    (results / "nowhere").symlink_to(results / "gone")
    status, out, err = listed()
    assert (status, out) == (0, "")
    assert f"'{results}' holds no record" in err
    assert f"'{results / 'empty'}' holds no record" in err
    assert f"'{results / 'file'}' is no folder" in err
    assert f"'{results / 'nowhere'}' is no folder" in err
    assert json.loads(listed("--json")[1]) == []


@pytest.mark.parametrize(
    "words",
    [
        ["eval", "pca-f16x64", "--images", "leaves", "--samples", "1"],
        ["speed", "pca-f16x64", "--seconds", "0", "--iterations", "1"],
    ],
    ids=["eval", "speed"],
)
def test_a_file_where_a_study_should_be_is_named(
    words: list[str], results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results.mkdir()
    (results / "mine").touch()
    status, out, err = _said([*words, "--resolution", "16", "--study", "mine"], monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert f"'{results / 'mine'}' is no folder; move it away" in err


@pytest.mark.parametrize("words", [["list", "records"], ["check"]], ids=lambda words: words[0])
def test_a_record_nested_too_deep_is_one_sentence(
    words: list[str], results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = results / "local" / "photos-64" / "deep.json"
    deep.parent.mkdir(parents=True)
    deep.write_text("[" * 100_000 + "]" * 100_000)
    status, out, err = _said(words, monkeypatch, capsys)
    assert status == (2 if words[0] == "list" else 1)
    assert f"record '{deep}' is not valid" in out + err
    assert "Traceback" not in err


def test_eval_prints_json_and_ends_with_status_0() -> None:
    words = ["eval", "pca-f16x64", "--images", "photos", "--resolution", "32", "--samples", "1", "--json"]
    done = subprocess.run([*VITOK, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["tokenizer"], row["outcome"]) == ("pca-f16x64", "ok")


def test_eval_ends_with_status_1_and_names_an_image_that_cannot_be_read(vitok: Vitok, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    done = vitok("eval", "pca-f16x64", "--images", str(tmp_path), "--resolution", "32")
    assert done.returncode == 1
    assert "empty.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_speed_prints_a_row_a_preset_and_what_was_chosen_is_recorded(
    vitok: Vitok, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peak_rates, "CPU_SIDE", 256)
    monkeypatch.setattr(peak_rates, "CPU_COPY_BYTES", 2**22)
    words = ["speed", "nano-f32x64", "--resolution", "64", "--preset", "reference,folded", "--window", "1"]
    done = vitok(*words, "--seconds", "0.01", "--iterations", "2", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["preset"] for row in rows] == ["reference", "folded"]
    assert all(row["outcome"] == "ok" and row["latency"].endswith(" ms") for row in rows)
    assert "latency" in str(json.loads(vitok("list", "records", "--json").stdout))


def test_eval_with_a_preset_tells_its_choices_and_records_it(vitok: Vitok) -> None:
    words = ["eval", "nano-f32x64", "--images", "photos", "--resolution", "32"]
    done = vitok(*words, "--path", "folded", "--window", "0")
    assert done.returncode == 0, done.stderr
    assert "nano-f32x64: attention: bands: no kernel has a window for float32 on cpu" in done.stderr
    assert "photos-32/nano-f32x64@preset=folded,window=0" in vitok("list", "records", "--json").stdout


@pytest.mark.parametrize("what", ["tokenizers", "images", "metrics", "presets", "notebooks", "records"])
def test_list_knows_every_kind(vitok: Vitok, what: str) -> None:
    done = vitok("list", what, "--json")
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), list)


def test_conform_prints_each_rule_and_ends_with_status_0(vitok: Vitok) -> None:
    done = vitok("conform", "pca-f16x64", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) > 5
    assert {row["result"] for row in rows} == {"kept"}


def test_a_time_limit_ends_with_status_1_and_the_same_command_without_it_goes_on(vitok: Vitok) -> None:
    words = ["eval", "pca-f16x64", "--images", "leaves", "--samples", "3", "--resolution", "32", "--metrics", "psnr"]
    limited = (*words, "--time-limit", "0.000001")
    first = vitok(*limited)
    assert first.returncode == 1
    assert "timeout: the time limit of" in first.stderr
    assert vitok(*limited).returncode == 1
    assert vitok(*words).returncode == 0


@pytest.mark.parametrize(
    "code", ["import vitok_lib", "from vitok_lib.cli.app import main; main()"], ids=["import", "help"]
)
def test_import_and_help_load_no_torch_and_answer_within_a_second(code: str) -> None:
    """A second of work: what the clock says depends on what else runs."""

    def used() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    program = f"import sys; sys.argv = ['vitok', '--help']\ntry:\n    {code.replace('; ', chr(10) + '    ')}\n"
    program += "except SystemExit: pass\nassert 'torch' not in sys.modules"
    seconds = []
    for _ in range(3):
        before = used()
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        seconds.append(used() - before)
    assert min(seconds) < 1


def test_a_notebook_takes_the_study_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(notebooks, "run_notebook", lambda name, parameters, output: given.update(parameters))
    monkeypatch.setattr(sys, "argv", ["vitok", "run", "div8k", "-p", "samples", "1", "--study", "mine"])
    with pytest.raises(SystemExit):
        main()
    assert given == {"samples": "1", "study": "mine"}


@pytest.mark.parametrize("installed", [True, False])
def test_a_profile_passes_over_an_image_set_that_is_not_installed_and_says_so(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wallpapers, "of_use", lambda use: () if installed else wallpapers.wallpapers()[:1])
    monkeypatch.setenv("VITOK_WALLPAPERS", str(tmp_path))
    ran: list[str] = []
    monkeypatch.setattr(notebooks, "run_notebook", lambda name, parameters, output: ran.append(output.stem))
    monkeypatch.setattr(sys, "argv", ["vitok", "run", "--profile", "cpu"])
    with contextlib.suppress(SystemExit):
        main()
    assert ("div8k-wallpapers-1024" in ran) == installed
    assert "challenge-384" in ran
    assert (wallpapers.wallpapers()[0].package in capsys.readouterr().err) == (not installed)


def test_a_run_that_fails_keeps_neither_the_others_nor_the_book_from_being_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(wallpapers, "of_use", lambda use: ())  # as where all of them are installed

    def run(name: str, parameters: dict[str, Any], output: Path) -> None:
        ran.append(output.stem)
        if len(ran) == 1:
            raise RequestError("its process died")
        assert parameters["study"] == "mine"

    monkeypatch.setattr(notebooks, "run_notebook", run)
    monkeypatch.setattr(build, "build_book", lambda: "index.html")
    monkeypatch.setattr(sys, "argv", ["vitok", "report", "--profile", "cpu", "--study", "mine"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.out == "The report: index.html\n"
    assert said.err.splitlines()[-1] == f"vitok: run '{ran[0]}' of profile 'cpu' failed: its process died"
    assert len(ran) == len(yaml.safe_load((ROOT / "profiles" / "cpu.yml").read_text(encoding="utf-8")))
