"""Notebooks: source and twin agree, parameters are held to, and a failed run leaves the last good one."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tests.fakes import engine
from tests.fakes.images import encoded, write_folder
from vitok_lib.errors import RequestError
from vitok_lib.notebooks import read_source, run_notebook, write_twins
from vitok_lib.parameters import notebook_sources
from vitok_lib.project import ROOT
from vitok_lib.records.store import read_record

SMALL = {"image_set": "photos", "resolution": "32", "samples": "1", "tokenizers": "pca-f16x64,nano-f32x64"}
LARGEST_NOTEBOOK = 500_000  # bytes
DYING = """# %% tags=["parameters"]
count: int = 1  # of nothing

# %%
import os

os.abort()
"""
TINY = {"weights": "random", "seconds": 0.01, "iterations": 2}
MACHINE = {
    "speed": {
        **TINY, "tokenizers": "w32_d1_h2/8x6", "resolution": 24, "presets": "reference,folded", "aspect": 0.5,
        "also": "8x16",
    },
    "sliding_window": {
        **TINY, "tokenizer": "w32_d1_h2/8x6", "resolution": 32, "windows": "4,1", "growth": "24,32", "growth_window": 2
    },
    "work_and_roofline": {
        **TINY, "tokenizers": "w32_d1_h2/8x6,w32_d1_h2/16x6", "resolutions": "32", "preset": "folded"
    },
    "compile_modes": {**TINY, "tokenizer": "w32_d1_h2/8x6", "resolution": 32},
    "precision": {**TINY, "tokenizers": "w32_d1_h2/8x16", "resolution": 32, "presets": "reference,folded"},
    "memory": {
        "tokenizers": "nano-f32x64", "resolutions": "64", "fp8": True,
        "tiled": "nano-kl-f8x16", "tiled_resolution": 160, "samples": 1
    },
    "tiling": {"tokenizers": "pca-f16x64", "tiles": "32/0,32/16", "resolution": 64, "samples": 1},
    "profile": {"weights": "random", "tokenizers": "w32_d1_h2/8x6", "resolution": 32, "presets": "reference"},
    "text": {"tokenizers": "jpeg:q=75", "resolution": 64, "samples": 1},
    "drift": {"tokenizers": "jpeg:q=75", "resolution": 32, "samples": 1},
    "padding": {"tokenizers": "pca-f16x64", "resolution": 64, "samples": 1},
    "how_many": {"tokenizers": "jpeg:q=75", "resolution": 32, "samples": 6, "counts": "3", "draws": 2},
    "latents": {"resolution": 32, "samples": 1, "tokenizers": "pca-f16x64,jpeg:q=75"},
    "variations": {"image_set": "photos", "resolutions": "32", "samples": 1, "choices": "1,2d:1"},
    "rate": {"resolution": 32, "samples": 2, "tokenizers": "pca-f16x64", "codecs": "jpeg", "quantisers": "bits=4"},
}  # fmt: skip
"""Small parameters of every notebook that measures a machine or a latent, and so the records that each makes."""
VIEWER = {"cases": "photos-48", "count": 1, "tokenizers": "pca-f16x64"}
RECORDS = {
    "speed": {"speed-24": 2, "speed-16": 1},
    "sliding_window": {"sliding-window-24": 2, "sliding-window-32": 4},
    "work_and_roofline": {"roofline-32": 2},
    "compile_modes": {"compile-modes-32": 4},
    "precision": {"precision-32": 4},
    "memory": {"memory-64": 3, "tiling-160": 1},
    "tiling": {"tiling-64": 2},
    "profile": {"profile-32": 1},
    "text": {"text-by-height-64": 1, "text-by-height-han-64": 1},
    "drift": {"drift-32": 1},
    "padding": {"padding-64": 1},
    "how_many": {"how-many-random-32": 1},
    "latents": {"latents-photos-32": 1},
    "variations": {"window-quality-32": 1},
    "rate": {"rate-32": 2},
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An executed notebook, asked for where the user is and with paths that are relative to there."""
    folder = tmp_path_factory.mktemp("run")
    write_folder(folder / "mine", {"a.png": encoded(0, (48, 40))})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("VITOK_RESULTS", "here")
        run_notebook("div8k", SMALL | {"image_set": "./mine"}, Path("out.ipynb"))
    return folder / "out.ipynb"


@pytest.fixture
def notebook(executed: Path) -> NotebookNode:
    return nbformat.read(executed, as_version=4)


@pytest.fixture(scope="module")
def machine_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Path]]]:
    """All notebooks of machines, one after the other in one process, which imports torch once."""
    folder = tmp_path_factory.mktemp("machine")
    one_by_one = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), engine.register)
    with pytest.MonkeyPatch.context() as patch, one_by_one as pool:
        patch.setenv("VITOK_RESULTS", str(folder / "results"))
        asked = MACHINE | {"viewer": VIEWER}
        yield {name: pool.submit(run_notebook, name, asked[name], folder / f"{name}.ipynb") for name in asked}


@pytest.mark.parametrize("name", MACHINE)
def test_a_notebook_of_machines_runs_and_keeps_its_records(name: str, machine_runs: dict[str, Future[Path]]) -> None:
    if name == "text":
        pytest.importorskip("rapidocr", reason="rapidocr comes with the extra 'text'")
    written = machine_runs[name].result()
    assert written.stat().st_size < LARGEST_NOTEBOOK
    study = written.parent / "results" / "local"
    all_made = [read_record(path) for path in study.glob("*/*.json")]
    made = [record for record in all_made if record.provenance is not None and record.provenance.notebook == name]
    assert Counter(f"{record.benchmark}-{record.resolution}" for record in made) == RECORDS[name]
    assert {(record.outcome.status, record.outcome.detail) for record in made} == {("ok", None)}


def test_the_notebook_of_the_viewer_makes_pictures(machine_runs: dict[str, Future[Path]]) -> None:
    study = machine_runs["viewer"].result().parent / "results" / "local"
    assert len(list((study / "visuals" / "photos-48").glob("*/visual.json"))) == 1


def test_relative_paths_are_taken_from_where_the_user_is(executed: Path) -> None:
    assert executed.stat().st_size < LARGEST_NOTEBOOK
    assert len(list((executed.parent / "here" / "local").glob("mine-*-32/*.json"))) == 2


def test_every_notebook_is_run_by_a_test() -> None:
    assert {source.stem for source in notebook_sources()} == {"div8k", "challenge", "viewer", *MACHINE}


@pytest.mark.parametrize("source", notebook_sources(), ids=lambda source: source.stem)
def test_twin_agrees_with_its_source(source: Path) -> None:
    twin = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    ours = read_source(source)
    assert [(cell.cell_type, cell.source) for cell in twin.cells] == [
        (cell.cell_type, cell.source) for cell in ours.cells
    ], "run: python -m vitok_lib.notebooks"
    assert twin.metadata.kernelspec.name == "python3"
    assert not any(cell.get("outputs") for cell in twin.cells)


def test_writing_twins_again_changes_no_byte() -> None:
    before = {source: source.with_suffix(".ipynb").read_bytes() for source in notebook_sources()}
    write_twins()
    assert {source: source.with_suffix(".ipynb").read_bytes() for source in before} == before


def test_an_executed_notebook_holds_the_source_and_the_injected_cell_alone(notebook: NotebookNode) -> None:
    injected = [cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert len(injected) == 1
    assert "samples = 1" in injected[0].source
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell not in injected]
    source = read_source(ROOT / "notebooks" / "div8k.py")
    assert code == [cell.source for cell in source.cells if cell.cell_type == "code"]


def test_an_executed_notebook_says_in_its_title_what_it_ran_on(notebook: NotebookNode) -> None:
    assert notebook.cells[0].source.startswith("# Reconstruction quality on ./mine at 32 px\n")


def test_an_executed_notebook_prints_no_warning_and_no_error(notebook: NotebookNode) -> None:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert {output.output_type for output in outputs} <= {"display_data", "execute_result"}


def test_an_executed_notebook_keeps_nothing_that_differs_from_run_to_run(notebook: NotebookNode) -> None:
    assert "papermill" not in notebook.metadata
    assert not any("papermill" in cell.metadata or "execution" in cell.metadata for cell in notebook.cells)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"resolutoin": "512"}, "no parameter 'resolutoin'; did you mean resolution"),
        ({"samples": "many"}, "parameter 'samples' must be a whole number, not 'many'"),
        ({"samples": "1.5"}, "parameter 'samples' must be a whole number, not '1.5'"),
    ],
    ids=["misspelt", "word-for-number", "fraction-for-integer"],
)
def test_a_wrong_parameter_is_one_sentence_and_nothing_is_written(
    parameters: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError) as raised:
        run_notebook("div8k", parameters, tmp_path / "out.ipynb")
    assert sentence in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_notebook_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown notebook 'divk8'; did you mean div8k"):
        run_notebook("divk8", {})


def test_a_failed_run_leaves_the_last_good_notebook(tmp_path: Path) -> None:
    good = tmp_path / "out.ipynb"
    good.write_text("the last good one", encoding="utf-8")
    with pytest.raises(RequestError, match="unknown tokenizer 'nano-f16x65'; did you mean nano-f16x64"):
        run_notebook("div8k", SMALL | {"tokenizers": "nano-f16x65"}, good)
    assert good.read_text(encoding="utf-8") == "the last good one"
    assert list(tmp_path.iterdir()) == [good]


def test_a_notebook_whose_process_dies_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dying.py").write_text(DYING, encoding="utf-8")
    monkeypatch.setattr("vitok_lib.notebooks.find_source", lambda name: tmp_path / "dying.py")
    with pytest.raises(RequestError, match="notebook 'dying' failed: its process died"):
        run_notebook("dying", {}, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_the_bare_papermill_command_works_and_rejects_a_misspelt_parameter(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / "div8k.ipynb"), str(tmp_path / "out.ipynb")]
    small = [word for name, value in SMALL.items() for word in ("-p", name, value)]
    done = subprocess.run([*command, *small], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wrong = subprocess.run([*command, *small, "-p", "sample", "1"], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "notebook 'div8k' has no parameter 'sample'; did you mean samples" in wrong.stderr
