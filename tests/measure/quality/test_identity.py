"""What makes two measurements the same, and what a record says of odd images and tokenizers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.fakes.images import write_noise
from tests.fakes.tokenizers import Offset
from vitok_lib.errors import RequestError
from vitok_lib.measure.quality.evaluate import evaluate, reconstruct_pixels
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import OutcomeStatus, Settings, Weights
from vitok_lib.records.store import read_record, results_root
from vitok_lib.tokenizers.interface import Latent

COUNT = 3
LEVELS = 2  # by which Wrong is wrong: its PSNR is 20·log₁₀(255 / 2) for images that nothing clamps


class Wrong(Offset):
    """Is wrong by ``LEVELS`` of 255 everywhere."""

    def __init__(self) -> None:
        super().__init__(LEVELS, weights=Weights(source="shipped", files={"weights.safetensors": "0" * 64}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(18 + index, 23) for index in range(COUNT)], 1, 256 - LEVELS)


def _per_image() -> pd.DataFrame:
    (path,) = results_root().rglob("*.parquet")
    return pd.read_parquet(path)


def test_psnr_is_that_of_the_closed_form(folder: Path) -> None:
    psnr = evaluate(Wrong(), images=folder, resolution=64).value("psnr")
    assert psnr is not None
    assert psnr.value == pytest.approx(20 * np.log10(255 / LEVELS), abs=1e-9)
    assert psnr.interval is not None
    assert (psnr.interval.low, psnr.interval.high) == pytest.approx((psnr.value, psnr.value))


def test_what_is_returned_is_what_is_kept(folder: Path) -> None:
    record = evaluate(Wrong(), images=folder, resolution=64)
    (path,) = results_root().rglob("*.json")
    assert read_record(path) == record
    assert record.samples == path.with_suffix(".parquet").name


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_each_value_carries_the_signature_of_its_metric(folder: Path, name: str) -> None:
    value = evaluate(Wrong(), images=folder, resolution=64, metrics=[name]).value(name)
    assert value is not None
    assert value.signature == METRICS[name].signature


def _other_weights(tokenizer: Wrong) -> None:
    tokenizer.weights = Weights(source="shipped", files={"weights.safetensors": "1" * 64})


def _other_revision(tokenizer: Wrong) -> None:
    tokenizer.weights = tokenizer.weights.model_copy(update={"revision": "a" * 40})


def _other_window(tokenizer: Wrong) -> None:
    tokenizer.settings = Settings(device="cpu", dtype="float32", window=4)


def _other_size(tokenizer: Wrong) -> None:
    tokenizer.spec = replace(tokenizer.spec, parameters=7)


@pytest.mark.parametrize("change", [_other_weights, _other_revision, _other_window, _other_size])
def test_another_tokenizer_of_the_same_name_is_measured_anew(folder: Path, change: Callable[[Wrong], None]) -> None:
    evaluate(Wrong(), images=folder, resolution=64)
    other = Wrong()
    change(other)
    evaluate(other, images=folder, resolution=64)
    assert other.calls == COUNT


def test_a_changed_image_is_measured_anew(folder: Path) -> None:
    evaluate(Wrong(), images=folder, resolution=64)
    Image.new("RGB", (20, 20)).save(folder / "0.png")
    again = Wrong()
    evaluate(again, images=folder, resolution=64)
    assert again.calls == COUNT


def test_the_same_images_in_another_place_are_the_same_measurement(folder: Path, tmp_path: Path) -> None:
    evaluate(Wrong(), images=folder, resolution=64)
    shutil.copytree(folder, tmp_path / "copy" / "images")
    again = Wrong()
    evaluate(again, images=tmp_path / "copy" / "images", resolution=64)
    assert again.calls == 0


def test_another_resolution_and_another_study_are_measured_anew(folder: Path) -> None:
    tokenizer = Wrong()
    evaluate(tokenizer, images=folder, resolution=64)
    evaluate(tokenizer, images=folder, resolution=32)
    evaluate(tokenizer, images=folder, resolution=64, study="other")
    assert tokenizer.calls == 3 * COUNT
    assert len(list(results_root().rglob("*.json"))) == 3


def test_a_record_with_more_metrics_answers_for_fewer(folder: Path) -> None:
    whole = evaluate(Wrong(), images=folder, resolution=64)
    again = Wrong()
    assert evaluate(again, images=folder, resolution=64, metrics=["ssim"]) == whole
    assert again.calls == 0


def test_a_metric_that_was_not_recorded_is_measured(folder: Path) -> None:
    evaluate(Wrong(), images=folder, resolution=64, metrics=["psnr"])
    record = evaluate(Wrong(), images=folder, resolution=64)
    assert {value.quantity for value in record.values} == {"psnr", "ssim"}


def test_an_interrupted_run_of_another_tokenizer_is_not_continued(folder: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(Wrong(), images=folder, resolution=64, progress=stop)
    other = Wrong()
    _other_weights(other)
    evaluate(other, images=folder, resolution=64)
    assert other.calls == COUNT


def test_progress_counts_every_image(folder: Path) -> None:
    counts: list[tuple[int, int]] = []
    evaluate(Wrong(), images=folder, resolution=64, progress=lambda done, total: counts.append((done, total)))
    assert counts == [(index, COUNT) for index in range(COUNT + 1)]


def test_the_sizes_of_the_images_are_kept(folder: Path) -> None:
    evaluate(Wrong(), images=folder, resolution=64)
    kept = _per_image()
    assert list(zip(kept["height"], kept["width"], strict=True)) == [(18, 23), (19, 23), (20, 23)]


def test_an_image_too_small_for_ssim_counts_in_psnr_alone(folder: Path) -> None:
    Image.new("RGB", (30, 10), "gray").save(folder / "small.png")
    record = evaluate(Wrong(), images=folder, resolution=64)
    psnr, ssim = record.value("psnr"), record.value("ssim")
    assert psnr is not None
    assert ssim is not None
    assert (psnr.n, ssim.n) == (COUNT + 1, COUNT)
    assert record.outcome.status is OutcomeStatus.OK


def test_a_metric_without_a_value_is_not_measured_again(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    Image.new("RGB", (9, 9), "gray").save(folder / "a.png")
    record = evaluate(Wrong(), images=folder, resolution=64)
    again = Wrong()
    assert evaluate(again, images=folder, resolution=64) == record
    assert record.value("ssim") is None
    assert again.calls == 0


def test_images_that_cannot_be_read_at_all_are_a_record_without_values(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no image")
    record = evaluate(Wrong(), images=folder, resolution=64)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.values == ()


def test_a_failure_keeps_the_values_of_the_images_before_it(folder: Path) -> None:
    class Failing(Wrong):
        def decode(self, latent: Latent) -> Tensor:
            if self.calls == 2:
                raise RuntimeError("a kernel failed")
            return super().decode(latent)

    record = evaluate(Failing(), images=folder, resolution=64)
    psnr = record.value("psnr")
    assert psnr is not None
    assert psnr.n == 2
    assert list(_per_image()["psnr"].notna()) == [True, True, False]


def test_a_tokenizer_that_changes_the_size_is_refused_with_both_sizes(folder: Path) -> None:
    class Cropping(Wrong):
        def decode(self, latent: Latent) -> Tensor:
            return super().decode(latent)[:, :, 1:]

    with pytest.raises(RequestError, match=r"'offset' gave float32 \[1, 3, 17, 23\] for images \[1, 3, 18, 23\]"):
        evaluate(Cropping(), images=folder, resolution=64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_reconstructed_pixels_are_clamped_and_rounded(dtype: torch.dtype) -> None:
    class Scaling(Wrong):
        def decode(self, latent: Latent) -> Tensor:
            return latent.values.movedim(-1, 1).to(dtype) * 3

    pixels = np.array([[[0, 128, 255], [100, 127, 150]]], np.uint8)
    values = (torch.from_numpy(pixels) / 127.5 - 1).to(dtype) * 3
    expected = np.rint(np.clip(values.double().numpy(), -1, 1) * 127.5 + 127.5)
    found = reconstruct_pixels(Scaling(), pixels)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
