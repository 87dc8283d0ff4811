"""When a record answers: the same configuration, the same weights by content, the same images, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.fakes.images import write_noise
from tests.fakes.terminal import status_of
from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.quality import evaluate as evaluation
from vitok_lib.measure.quality import metric_suite
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.quality.original_features import FeatureCache
from vitok_lib.measure.quality.request import request_of
from vitok_lib.metrics.networks.features import Extractor
from vitok_lib.project import ROOT
from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import read_record, results_root
from vitok_lib.tokenizers.load import load, requested_of

VITOK = "nano-f32x64"
SMALL = {"resolution": 32, "metrics": ["psnr"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(20, 24), (20, 25)])


def _records() -> int:
    return len(list(results_root().rglob("*.json")))


def _copy(folder: Path, of: str = VITOK) -> Path:
    return Path(shutil.copytree(ROOT / "vitok_lib" / "weights" / of, folder))


@pytest.mark.parametrize(("samples", "requested"), [(1, 1), (2, None), (3, None), (None, None)])
def test_a_record_says_how_many_images_of_a_larger_set_were_asked_for(
    samples: int | None, requested: int | None, folder: Path
) -> None:
    record = evaluate("jpeg:q=75", images=folder, samples=samples, **SMALL)
    assert record.images.requested_samples == requested
    assert [path.stem for path in results_root().rglob("*.json")] == ["jpeg_q_75" + ("@samples=1" if requested else "")]


def test_committed_records_of_a_subset_say_so() -> None:
    for path in (ROOT / "results").rglob("*@*samples=*.json"):
        if path.parts[-3] != "published":
            assert read_record(path).images.requested_samples == int(path.stem.rpartition("samples=")[2]), path


def _shortened(table: Path) -> None:
    pd.read_parquet(table).head(1).to_parquet(table, index=False)


def _of_other_values(table: Path) -> None:
    pd.read_parquet(table).assign(psnr=[1.0, 2.0]).to_parquet(table, index=False)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda table: table.write_bytes(b""),
    "cut short": lambda table: table.write_bytes(table.read_bytes()[:-100]),
    "nonsense": lambda table: table.write_text("no Parquet"),
    "shortened": _shortened,
    "other values": _of_other_values,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_record_without_its_single_values_is_measured_again_which_is_said(damage: str, folder: Path) -> None:
    first = evaluate(VITOK, images=folder, **SMALL)
    assert first.samples is not None
    table = next(results_root().rglob(first.samples))
    whole = pd.read_parquet(table)
    DAMAGE[damage](table)
    said: list[str] = []
    again = evaluate(VITOK, images=folder, log=said.append, **SMALL)
    assert (again.provenance, again.values) != (first.provenance, first.values)
    assert again.values == first.values
    assert pd.read_parquet(table).equals(whole)
    told = [sentence for sentence in said if sentence.startswith(f"{VITOK}: measured again, since ")]
    assert len(told) == 1
    assert table.name in told[0]
    said.clear()
    assert evaluate(VITOK, images=folder, log=said.append, **SMALL) == again
    assert ["from a record" in sentence for sentence in said] == [True]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (VITOK, {"window": 1, "blocks": "1/2", "folded": True, "chunk": 7}),
        (VITOK, {"preset": "folded", "attention": "math"}),
        (VITOK, {"weights": "random", "seed": 5, "dtype": "bfloat16"}),
        ("nano-kl-f8x16", {"posterior": "sample", "seed": 3, "tiling": True}),
        ("jpeg:q=75", {"device": "cpu"}),
    ],
)
def test_a_record_keeps_what_was_asked_for_and_its_command_says_it(name: str, options: dict, folder: Path) -> None:
    if options.get("attention") == "math":
        options = options | {"attention": "mask", "window": 1}
    config = RunConfig(name=name, **options)
    record = evaluate(config, images=folder, **SMALL)
    assert record.provenance is not None
    assert record.requested == config
    assert parse(record.provenance.command).configs == (config,)
    assert evaluate(load(config), images=folder, **SMALL) == record


def test_the_command_names_the_file_of_the_weights(folder: Path, tmp_path: Path, monkeypatch) -> None:
    weights = _copy(tmp_path / "my weights")
    monkeypatch.chdir(tmp_path)
    record = evaluate(RunConfig(name=VITOK, weights="my weights"), images=folder, **SMALL)
    assert record.provenance is not None
    (config,) = parse(record.provenance.command).configs
    assert config.weights == str(weights)
    assert evaluate(config, images=folder, **SMALL) == record


@pytest.mark.parametrize("name", [VITOK, "nano-kl-f8x16", "pca-f16x64"])
def test_a_record_of_every_family_with_weights_answers_without_loading(name: str, folder: Path, monkeypatch) -> None:
    first = evaluate(name, images=folder, **SMALL)
    monkeypatch.setattr(evaluation, "load", lambda config: pytest.fail("a record answers without loading"))
    assert evaluate(name, images=folder, **SMALL) == first


def test_weights_are_the_same_by_content_wherever_they_lie(folder: Path, tmp_path: Path, monkeypatch) -> None:
    first = evaluate(RunConfig(name=VITOK, weights=str(_copy(tmp_path / "a"))), images=folder, **SMALL)
    moved = RunConfig(name=VITOK, weights=str(_copy(tmp_path / "b")))
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "load", lambda config: pytest.fail("a record answers without loading"))
        assert evaluate(moved, images=folder, **SMALL) == first
    (tmp_path / "b" / "decoder.safetensors").write_bytes(
        (tmp_path / "b" / "decoder.safetensors").read_bytes()[:-4] + b"\x01\x02\x03\x04"
    )
    other = evaluate(moved, images=folder, **SMALL)
    assert other.tokenizer.weights != first.tokenizer.weights
    assert _records() == 2


def test_two_seeds_of_a_sampled_posterior_are_two_measurements(folder: Path) -> None:
    records = [
        evaluate(RunConfig(name="nano-kl-f8x16", posterior="sample", seed=seed), images=folder, **SMALL)
        for seed in (0, 1)
    ]
    assert _records() == 2
    values = [record.value("psnr") for record in records]
    assert values[0] != values[1]
    assert [record.settings.seed for record in records] == [0, 1]


def test_two_seeds_of_a_subset_are_two_measurements(tmp_path: Path) -> None:
    folder = write_noise(tmp_path / "many", [(20, 20 + index) for index in range(6)])
    images = [open_image_set(folder, subset_seed=seed) for seed in (0, 1)]
    assert images[0].manifest(32, 2) != images[1].manifest(32, 2)
    records = [evaluate("jpeg:q=75", images=held, samples=2, **SMALL) for held in images]
    assert _records() == 2
    assert records[0].images.subset_seed != records[1].images.subset_seed


def test_two_revisions_have_two_places_and_two_journals(folder: Path) -> None:
    tokenizer = load(RunConfig(name="jpeg:q=75"))
    places = set()
    for revision in (None, "a", "b"):
        tokenizer.requested = requested_of(tokenizer).replace(revision=revision)  # type: ignore[attr-defined]
        images = open_image_set(folder)
        request = request_of(tokenizer, images, 32, None, ["psnr"], None, "local")
        assert request is not None
        places |= {request.path, request.journal_path, request.key}
    assert len(places) == 9


def test_again_measures_anew_and_an_answer_says_of_when_it_is(folder: Path) -> None:
    first = evaluate("jpeg:q=75", images=folder, **SMALL)
    assert first.provenance is not None
    said: list[str] = []
    assert evaluate("jpeg:q=75", images=folder, **SMALL, log=said.append) == first
    assert f"from a record of {first.provenance.started:%Y-%m-%d}" in said[0]
    again = evaluate("jpeg:q=75", images=folder, **SMALL, again=True, log=said.append)
    assert again.provenance is not None
    assert again.provenance.started > first.provenance.started
    assert again.values == first.values
    assert len(said) == 1


def test_features_of_originals_are_extracted_once_for_all_tokenizers(folder: Path, monkeypatch) -> None:
    seen = []
    real = Extractor.features

    def counting(extractor: Extractor, images):
        seen.append(1)
        return real(extractor, images)

    monkeypatch.setattr(Extractor, "features", counting)
    monkeypatch.setattr(metric_suite, "ORIGINALS", FeatureCache())
    for name in ("jpeg:q=75", "jpeg:q=50", "jpeg:q=25"):
        evaluate(name, images=folder, resolution=32, metrics=["fd-random", "patch-fd-random"])
    reconstructions, originals = 3 * 2 * 2, 2 * 2  # two images, whole and in crops
    assert len(seen) == reconstructions + originals


def test_held_features_are_bounded_and_never_those_of_other_pixels() -> None:
    import numpy as np

    cache = FeatureCache(most_bytes=2 * 4 * 10)
    images = [np.full((2, 3, 3), level, np.uint8) for level in range(3)]
    calls = []

    def features(level: int) -> np.ndarray:
        def extract() -> np.ndarray:
            calls.append(level)
            return np.full((1, 10), level, np.float32)

        return cache.get(images[level], ("random", "cpu"), extract)

    for level in (0, 1, 0, 2, 0, 1):
        assert (features(level) == level).all()
    assert calls == [0, 1, 2, 1]
    assert cache.get(images[0].reshape(3, 2, 3), ("random", "cpu"), lambda: np.ones((1, 1), np.float32)).size == 1


def test_images_are_counted_as_they_come_and_not_again_for_each(tmp_path: Path, monkeypatch) -> None:
    folder = write_noise(tmp_path / "many", [(12, 12)] * 30)
    shutil.copy(folder / sorted(path.name for path in folder.iterdir())[0], folder / "zz-copy.png")
    images = open_image_set(folder)
    manifest = images.manifest(16)
    walks = []

    class Entries(tuple):
        def __iter__(self):
            walks.append(1)
            return super().__iter__()

    object.__setattr__(manifest, "entries", Entries(manifest.entries))
    monkeypatch.setattr(type(images), "manifest", lambda *_: manifest)
    counts: list[tuple[int, int]] = []
    evaluate("jpeg:q=75", images=images, resolution=16, metrics=["psnr"], progress=lambda *of: counts.append(of))
    assert counts[-1] == (31, 31)
    assert [done for done, _ in counts] == sorted({done for done, _ in counts})
    assert len(walks) < 15


def test_quality_is_measured_where_python_has_no_fcntl() -> None:
    code = "import sys; sys.modules['fcntl'] = None; import vitok_lib.measure.quality.journal"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_metric_without_a_value_says_so_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_noise(tmp_path / "images", [(180, 180), (20, 20)])
    asked = ["eval", "jpeg:q=75", "--images", str(folder), "--resolution", "256", "--json", "--metrics"]
    assert status_of(monkeypatch, *asked, "psnr,ms-ssim,kid-random") == 1
    out, err = capsys.readouterr()
    (row,) = json.loads(out)
    assert "n = 1 of 2" in row["ms-ssim n"]
    assert "176 px" in row["ms-ssim n"]
    assert "n = 2" in row["kid-random"]
    assert "3 images" in row["kid-random"]
    assert "ms-ssim" in err
    assert "kid-random" in err
    assert status_of(monkeypatch, *asked, "psnr") == 0
    assert "ms-ssim" not in capsys.readouterr().err, "it was not asked for"
