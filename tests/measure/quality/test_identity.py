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

from vitok_lib.errors import RequestError
from vitok_lib.measure.quality.evaluate import evaluate, reconstruct_pixels
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import OutcomeStatus, Settings, Weights
from vitok_lib.records.store import read_record, results_root
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

COUNT = 3
LEVELS = 2  # by which Offset is off: its PSNR is 20·log₁₀(255 / 2) for images that nothing clamps


class Offset:
    """A tokenizer that is wrong by ``LEVELS`` of 255 everywhere, and counts the images that it saw."""

    def __init__(self) -> None:
        self.spec = TokenizerSpec("offset", "test", 1, 3, "this test")
        self.weights = Weights(source="shipped", files={"weights.safetensors": "0" * 64})
        self.settings = Settings(device="cpu", dtype="float32")
        self.seen = 0

    def encode(self, images: Tensor) -> Latent:
        return Latent(images.movedim(1, -1), images.shape[2], images.shape[3])

    def decode(self, latent: Latent) -> Tensor:
        self.seen += 1
        return latent.values.movedim(-1, 1) + LEVELS / 127.5

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(1)
    for index in range(COUNT):
        pixels = rng.integers(0, 256 - LEVELS, (18 + index, 23, 3), np.uint8)
        Image.fromarray(pixels).save(images / f"{index}.png")
    return images


def _per_image() -> pd.DataFrame:
    (path,) = results_root().rglob("*.parquet")
    return pd.read_parquet(path)


def test_psnr_is_that_of_the_closed_form(folder: Path) -> None:
    psnr = evaluate(Offset(), images=folder, resolution=64).value("psnr")
    assert psnr is not None
    assert psnr.value == pytest.approx(20 * np.log10(255 / LEVELS), abs=1e-9)
    assert psnr.interval is not None
    assert (psnr.interval.low, psnr.interval.high) == pytest.approx((psnr.value, psnr.value))


def test_what_is_returned_is_what_is_kept(folder: Path) -> None:
    record = evaluate(Offset(), images=folder, resolution=64)
    (path,) = results_root().rglob("*.json")
    assert read_record(path) == record
    assert record.samples == path.with_suffix(".parquet").name


@pytest.mark.parametrize("name", ["psnr", "ssim"])
def test_each_value_carries_the_signature_of_its_metric(folder: Path, name: str) -> None:
    value = evaluate(Offset(), images=folder, resolution=64, metrics=[name]).value(name)
    assert value is not None
    assert value.signature == METRICS[name].signature


def _other_weights(tokenizer: Offset) -> None:
    tokenizer.weights = Weights(source="shipped", files={"weights.safetensors": "1" * 64})


def _other_revision(tokenizer: Offset) -> None:
    tokenizer.weights = tokenizer.weights.model_copy(update={"revision": "a" * 40})


def _other_window(tokenizer: Offset) -> None:
    tokenizer.settings = Settings(device="cpu", dtype="float32", window=4)


def _other_size(tokenizer: Offset) -> None:
    tokenizer.spec = replace(tokenizer.spec, parameters=7)


@pytest.mark.parametrize("change", [_other_weights, _other_revision, _other_window, _other_size])
def test_another_tokenizer_of_the_same_name_is_measured_anew(folder: Path, change: Callable[[Offset], None]) -> None:
    evaluate(Offset(), images=folder, resolution=64)
    other = Offset()
    change(other)
    evaluate(other, images=folder, resolution=64)
    assert other.seen == COUNT


def test_a_changed_image_is_measured_anew(folder: Path) -> None:
    evaluate(Offset(), images=folder, resolution=64)
    Image.new("RGB", (20, 20)).save(folder / "0.png")
    again = Offset()
    evaluate(again, images=folder, resolution=64)
    assert again.seen == COUNT


def test_the_same_images_in_another_place_are_the_same_measurement(folder: Path, tmp_path: Path) -> None:
    evaluate(Offset(), images=folder, resolution=64)
    shutil.copytree(folder, tmp_path / "copy" / "images")
    again = Offset()
    evaluate(again, images=tmp_path / "copy" / "images", resolution=64)
    assert again.seen == 0


def test_another_resolution_and_another_study_are_measured_anew(folder: Path) -> None:
    tokenizer = Offset()
    evaluate(tokenizer, images=folder, resolution=64)
    evaluate(tokenizer, images=folder, resolution=32)
    evaluate(tokenizer, images=folder, resolution=64, study="other")
    assert tokenizer.seen == 3 * COUNT
    assert len(list(results_root().rglob("*.json"))) == 3


def test_a_record_with_more_metrics_answers_for_fewer(folder: Path) -> None:
    whole = evaluate(Offset(), images=folder, resolution=64)
    again = Offset()
    assert evaluate(again, images=folder, resolution=64, metrics=["ssim"]) == whole
    assert again.seen == 0


def test_a_metric_that_was_not_recorded_is_measured(folder: Path) -> None:
    evaluate(Offset(), images=folder, resolution=64, metrics=["psnr"])
    record = evaluate(Offset(), images=folder, resolution=64)
    assert {value.quantity for value in record.values} == {"psnr", "ssim"}


def test_an_interrupted_run_of_another_tokenizer_is_not_continued(folder: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(Offset(), images=folder, resolution=64, progress=stop)
    other = Offset()
    _other_weights(other)
    evaluate(other, images=folder, resolution=64)
    assert other.seen == COUNT


def test_progress_counts_every_image(folder: Path) -> None:
    counts: list[tuple[int, int]] = []
    evaluate(Offset(), images=folder, resolution=64, progress=lambda done, total: counts.append((done, total)))
    assert counts == [(index, COUNT) for index in range(COUNT + 1)]


def test_the_sizes_of_the_images_are_kept(folder: Path) -> None:
    evaluate(Offset(), images=folder, resolution=64)
    kept = _per_image()
    assert list(zip(kept["height"], kept["width"], strict=True)) == [(18, 23), (19, 23), (20, 23)]


def test_an_image_too_small_for_ssim_counts_in_psnr_alone(folder: Path) -> None:
    Image.new("RGB", (30, 10), "gray").save(folder / "small.png")
    record = evaluate(Offset(), images=folder, resolution=64)
    psnr, ssim = record.value("psnr"), record.value("ssim")
    assert psnr is not None
    assert ssim is not None
    assert (psnr.n, ssim.n) == (COUNT + 1, COUNT)
    assert record.outcome.status is OutcomeStatus.OK


def test_a_metric_without_a_value_is_not_measured_again(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    Image.new("RGB", (9, 9), "gray").save(folder / "a.png")
    record = evaluate(Offset(), images=folder, resolution=64)
    again = Offset()
    assert evaluate(again, images=folder, resolution=64) == record
    assert record.value("ssim") is None
    assert again.seen == 0


def test_images_that_cannot_be_read_at_all_are_a_record_without_values(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no image")
    record = evaluate(Offset(), images=folder, resolution=64)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.values == ()


def test_a_failure_keeps_the_values_of_the_images_before_it(folder: Path) -> None:
    class Failing(Offset):
        def decode(self, latent: Latent) -> Tensor:
            if self.seen == 2:
                raise RuntimeError("a kernel failed")
            return super().decode(latent)

    record = evaluate(Failing(), images=folder, resolution=64)
    psnr = record.value("psnr")
    assert psnr is not None
    assert psnr.n == 2
    assert list(_per_image()["psnr"].notna()) == [True, True, False]


def test_a_tokenizer_that_changes_the_size_is_refused_with_both_sizes(folder: Path) -> None:
    class Cropping(Offset):
        def decode(self, latent: Latent) -> Tensor:
            return super().decode(latent)[:, :, 1:]

    with pytest.raises(RequestError, match=r"'offset' gave \[1, 3, 17, 23\] for images of \[1, 3, 18, 23\]"):
        evaluate(Cropping(), images=folder, resolution=64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_reconstructed_pixels_are_clamped_and_rounded(dtype: torch.dtype) -> None:
    class Scaling(Offset):
        def decode(self, latent: Latent) -> Tensor:
            return latent.values.movedim(-1, 1).to(dtype) * 3

    pixels = np.array([[[0, 128, 255], [100, 127, 150]]], np.uint8)
    values = (torch.from_numpy(pixels) / 127.5 - 1).to(dtype) * 3
    expected = np.rint(np.clip(values.double().numpy(), -1, 1) * 127.5 + 127.5)
    found = reconstruct_pixels(Scaling(), pixels)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
