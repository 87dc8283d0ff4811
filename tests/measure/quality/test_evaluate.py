"""A quality measurement: its values, and that nothing measured is lost or done twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from tests.fakes.images import write_noise
from tests.fakes.tokenizers import Scaling
from vitok_lib.errors import RequestError
from vitok_lib.measure.quality.aggregate import interval_of_mean
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus, Record, Weights
from vitok_lib.records.store import results_root

COUNT = 4


class Darkening(Scaling):
    """Halves every value, and can fail at one of its calls."""

    name = "darkening"

    def __init__(self, fail_at: int | None = None, error: BaseException | None = None, seed: str = "random:0") -> None:
        super().__init__(0.5, weights=Weights(source=seed))
        self._fail_at, self._error = fail_at, error

    def decoded(self, images: Tensor) -> Tensor:
        if self.calls == self._fail_at and self._error is not None:
            raise self._error
        return super().decoded(images)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(20, 24 + index) for index in range(COUNT)])


def _files() -> list[str]:
    return sorted(path.name for path in results_root().rglob("*") if path.is_file())


def _without_times(record: Record) -> dict[str, object]:
    return record.model_dump(exclude={"provenance"})


def _journalled() -> list[str]:
    """The names of the images that the one journal holds, in the order in which they were measured."""
    (path,) = results_root().rglob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [image for line in lines[1:] for image in line["results"]]


def test_values_are_those_of_scikit_image(folder: Path) -> None:
    record = evaluate(Darkening(), images=folder, resolution=64, metrics=["psnr"])
    expected = []
    for path in sorted(folder.iterdir()):
        original = np.asarray(Image.open(path))
        darkened = np.rint(((original / 127.5 - 1) / 2 + 1) * 127.5).astype(np.uint8)
        expected.append(peak_signal_noise_ratio(original, darkened, data_range=255))
    psnr = record.value("psnr")
    assert psnr is not None
    assert psnr.n == COUNT
    assert psnr.value == pytest.approx(np.mean(expected), abs=0.02)  # halves of odd levels may round either way


def test_the_mean_is_that_of_the_kept_per_image_values(folder: Path) -> None:
    record = evaluate(Darkening(), images=folder, resolution=64)
    (parquet,) = results_root().rglob("*.parquet")
    kept = pd.read_parquet(parquet)
    assert list(kept["image"]) == [f"{index}.png" for index in range(COUNT)]
    for quantity in ("psnr", "ssim"):
        value = record.value(quantity)
        assert value is not None
        assert value.interval is not None
        assert value.value == pytest.approx(kept[quantity].mean(), rel=1e-12)
        assert value.interval.low <= value.value <= value.interval.high


def test_a_second_run_measures_nothing(folder: Path) -> None:
    first = evaluate(Darkening(), images=folder, resolution=64)
    again = Darkening()
    assert evaluate(again, images=folder, resolution=64) == first
    assert again.calls == 0


def test_other_weights_are_another_measurement(folder: Path) -> None:
    evaluate(Darkening(), images=folder, resolution=64)
    other = Darkening(seed="random:1")
    evaluate(other, images=folder, resolution=64)
    assert other.calls == COUNT
    assert len([name for name in _files() if name.endswith(".json")]) == 2


def test_a_metric_asked_for_later_does_not_lose_the_earlier_one(folder: Path) -> None:
    first = evaluate(Darkening(), images=folder, resolution=64, metrics=["psnr"])
    both = evaluate(Darkening(), images=folder, resolution=64, metrics=["ssim"])
    assert both.value("psnr") == first.value("psnr")
    assert both.value("ssim") is not None


def test_a_subset_is_a_record_of_its_own(folder: Path) -> None:
    whole = evaluate(Darkening(), images=folder, resolution=64)
    part = evaluate(Darkening(), images=folder, resolution=64, samples=2)
    assert (whole.images.count, part.images.count) == (COUNT, 2)
    assert len([name for name in _files() if name.endswith(".json")]) == 2


def test_an_interrupted_run_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(Darkening(3, KeyboardInterrupt()), images=folder, resolution=64)
    rest = Darkening()
    resumed = evaluate(rest, images=folder, resolution=64)
    assert rest.calls == COUNT - 2
    assert not any(name.endswith(".jsonl") for name in _files())
    monkeypatch.setenv("VITOK_RESULTS", str(folder.parent / "elsewhere"))
    assert _without_times(evaluate(Darkening(), images=folder, resolution=64)) == _without_times(resumed)


def test_a_run_over_more_images_goes_on_with_those_of_a_run_over_fewer(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(Darkening(3, KeyboardInterrupt()), images=folder, resolution=64, samples=3)
    rest = Darkening()
    assert evaluate(rest, images=folder, resolution=64).outcome.done == COUNT
    assert rest.calls == COUNT - 2


def test_a_run_over_fewer_images_leaves_the_results_of_an_interrupted_one_over_more(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(Darkening(4, KeyboardInterrupt()), images=folder, resolution=64)
    assert evaluate(Darkening(), images=folder, resolution=64, samples=2).outcome.done == 2
    rest = Darkening()
    assert evaluate(rest, images=folder, resolution=64).outcome.done == COUNT
    assert rest.calls == COUNT - 3
    assert not any(name.endswith(".jsonl") for name in _files())


def test_the_work_is_keyed_by_the_content_of_the_images(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(Darkening(3, KeyboardInterrupt()), images=folder, resolution=64)
    contents = [hashlib.sha256((folder / f"{index}.png").read_bytes()).hexdigest() for index in range(2)]
    assert _journalled() == contents


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError("no room"), OutcomeStatus.OOM),
        (torch.OutOfMemoryError("tried to allocate 9 GiB"), OutcomeStatus.OOM),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"), OutcomeStatus.OOM),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), OutcomeStatus.OOM),
        (RuntimeError("a kernel failed"), OutcomeStatus.ERROR),
    ],
    ids=["python-memory", "torch-memory", "cpu-allocator", "cpu-allocator-on-linux", "other-error"],
)
def test_a_failure_is_an_outcome_that_is_kept_until_a_retry(
    error: Exception, status: OutcomeStatus, folder: Path
) -> None:
    record = evaluate(Darkening(2, error), images=folder, resolution=64)
    assert record.outcome.status is status
    assert record.outcome.detail is not None
    assert str(error) in record.outcome.detail
    assert "1.png" in record.outcome.detail
    healthy = Darkening()
    assert evaluate(healthy, images=folder, resolution=64) == record
    assert healthy.calls == 0
    assert evaluate(healthy, images=folder, resolution=64, retry=True).outcome.status is OutcomeStatus.OK


def test_an_unreadable_image_is_named_and_the_run_goes_on(folder: Path) -> None:
    broken = folder / "1.png"
    broken.write_bytes(broken.read_bytes()[:200])
    record = evaluate(Darkening(), images=folder, resolution=64)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.outcome.detail is not None
    assert f"1 of {COUNT} images failed" in record.outcome.detail
    assert (record.outcome.total, record.outcome.done, record.outcome.failed) == (COUNT, COUNT - 1, 1)
    assert "1.png" in record.outcome.detail
    psnr = record.value("psnr")
    assert psnr is not None
    assert psnr.n == COUNT - 1


def test_the_command_of_a_record_names_what_was_measured(folder: Path) -> None:
    record = evaluate("pca-f16x64", images="photos", resolution=32, samples=1, metrics=["psnr"])
    assert record.provenance is not None
    assert (
        record.provenance.command == "vitok eval pca-f16x64 --images photos --resolution 32 --samples 1 --metrics psnr"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"resolution": 0}, "not 0"),
        ({"resolution": -1}, "not -1"),
        ({"samples": 0}, "samples (=0)"),
        ({"batch": 0}, "batch (=0)"),
        ({"time_limit": 0}, "time limit (=0)"),
        ({"workers": -1}, "workers (=-1)"),
        ({"on_oom": ["batches"]}, "did you mean batch"),
        ({"metrics": ["psrn"]}, "did you mean psnr"),
    ],
    ids=["resolution-0", "resolution-negative", "no-samples", "no-batch", "no-time", "workers", "on-oom", "metric"],
)
def test_a_wrong_request_is_one_sentence_and_writes_nothing(
    arguments: dict[str, object], words: str, folder: Path
) -> None:
    with pytest.raises(RequestError) as raised:
        evaluate(Darkening(), images=folder, **({"resolution": 64} | arguments))  # type: ignore[arg-type]
    assert words in str(raised.value)
    assert _files() == []


def test_a_full_disk_is_one_sentence_and_leaves_no_half_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(RequestError, match=r"cannot write .*No space left on device; free some space"):
        evaluate(Darkening(), images=folder, resolution=64)
    assert [name.endswith(".jsonl") for name in _files()] == [True]


def test_results_that_cannot_be_written_are_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = folder / "0.png"
    monkeypatch.setenv("VITOK_RESULTS", str(blocked))
    with pytest.raises(RequestError, match="cannot write"):
        evaluate(Darkening(), images=folder, resolution=64)


@pytest.mark.parametrize(
    ("quantity", "values", "expected"),
    [
        ("ssim", [0.2, 1.0, 0.9], (None, 1)),
        ("ms-ssim", [0.0, 0.9], (0, 1)),
        ("psnr", [20.0, 100.0], (0, 100)),
        ("ssimulacra2", [20.0, 99.0], (None, 100)),
        ("lpips", [0.0, 0.8], (0, None)),
        ("bpp", [0.1, 3.0], (0, None)),
        ("tiled_agreement", [40.0, 100.0], (0, 100)),
        ("kid-random", [-0.1, 0.9], (None, None)),
    ],
)
def test_an_interval_ends_where_its_metric_does(
    quantity: str, values: list[float], expected: tuple[float | None, float | None]
) -> None:
    column = np.array(values)
    free = stats.t.interval(0.95, len(column) - 1, column.mean(), stats.sem(column))
    found = interval_of_mean(column, quantity)
    assert found is not None
    ends = [end if bound is None else bound for end, bound in zip(free, expected, strict=True)]
    assert (found.low, found.high) == pytest.approx(ends)
