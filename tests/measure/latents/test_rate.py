"""The rate study against Pillow's own streams, the error of uniform steps, and what no model may have seen."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ssimulacra2 import compute_ssimulacra2
from torch import Tensor

from tests.fakes.tokenizers import Identity
from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.latents import rate
from vitok_lib.measure.latents.rate import QUALITIES, measure_rate
from vitok_lib.metrics.pixel import PSNR_CAP
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.report.data.record_view import load
from vitok_lib.tokenizers.interface import DiscreteLatent, Latent

SIZE = 64
POINTS = "bits=4,step=0.5,common=0.5"


def _write(folder: Path, seeds: list[int]) -> Path:
    """Smooth random images in the order of their places."""
    folder.mkdir()
    for place, seed in enumerate(seeds):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        image.save(folder / f"{place}.png")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return _write(tmp_path / "images", [1, 2, 3, 4])


def _by_image(record: Record, quantity: str) -> list[float]:
    (entry,) = [entry for entry in load() if entry.record == record]
    found: list[float] = entry.per_image[quantity].tolist()
    return found


def test_the_points_of_a_codec_are_pillows_own_streams(images: Path, results: Path) -> None:
    record = measure_rate(RunConfig(name="jpeg"), images=images, resolution=SIZE, points="q=20,q=60")
    for quality in (20, 60):
        rates, decibels, seen = [], [], []
        for path in sorted(images.iterdir()):
            original, buffer = Image.open(path), io.BytesIO()
            original.save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
            decoded = np.asarray(Image.open(buffer), np.float64)
            rates.append(8 * len(buffer.getvalue()) / SIZE**2)
            decibels.append(10 * math.log10(255**2 / ((np.asarray(original) - decoded) ** 2).mean()))
            seen.append(compute_ssimulacra2(path, buffer))
        np.testing.assert_allclose(_by_image(record, f"bpp:q={quality}"), rates)
        np.testing.assert_allclose(_by_image(record, f"psnr:q={quality}"), decibels)
        np.testing.assert_allclose(_by_image(record, f"ssimulacra2:q={quality}"), seen, atol=1e-3)
    assert record.tokenizer.name == "jpeg"
    assert "q=" not in str(record.tokenizer.variant)


def test_an_unquantised_latent_takes_what_the_architecture_says(images: Path, results: Path) -> None:
    record = measure_rate(RunConfig(name="pca-f16x64"), images=images, resolution=SIZE, points="bits=8")
    assert record.value("bpp:unquantised") is not None
    assert _by_image(record, "bpp:unquantised") == [64 * 16 / 16**2] * 4


def test_pixels_in_steps_err_by_a_twelfth_of_the_squared_step(
    images: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "load", lambda config: Identity())
    record = measure_rate(RunConfig(name="pca-f16x64"), images=images, resolution=SIZE, points="common=0.25,common=0.5")
    pixels = [np.asarray(Image.open(path), np.float64) for path in sorted(images.iterdir())]
    variance = np.stack(pixels[1::2]).var((0, 1, 2)).mean()  # of the images whose models code the first one
    assert _by_image(record, "psnr:unquantised")[0] == PSNR_CAP
    for sigmas in (0.25, 0.5):
        expected = 10 * math.log10(255**2 / (sigmas**2 * variance / 12))
        assert _by_image(record, f"psnr:common={sigmas}")[0] == pytest.approx(expected, abs=0.3)


def test_the_models_of_an_image_are_those_of_the_other_half_alone(tmp_path: Path, results: Path) -> None:
    def first(name: str, seeds: list[int]) -> dict[str, float]:
        folder = _write(tmp_path / name, seeds)
        record = measure_rate(RunConfig(name="pca-f16x64"), images=folder, resolution=SIZE, points=POINTS, again=True)
        return {value.quantity: _by_image(record, value.quantity)[0] for value in record.values}

    before = first("before", [1, 2, 3, 4])
    assert first("same-half", [1, 2, 9, 4]) == before
    after = first("other-half", [1, 9, 3, 4])
    changed = {quantity for quantity in before if before[quantity] != after[quantity]}
    assert {f"psnr:{point}" for point in POINTS.split(",")} <= changed
    assert not {"psnr:unquantised", "bpp:unquantised"} & changed


def test_the_command_asks_for_the_same_points(images: Path, results: Path) -> None:
    record = measure_rate(RunConfig(name="pca-f16x64"), images=images, resolution=SIZE, samples=2, points="bits=4")
    assert record.provenance is not None
    measurement = parse(record.provenance.command)
    assert measurement.configs == (RunConfig(name="pca-f16x64"),)
    assert {"points": "bits=4", "samples": 2, "resolution": SIZE}.items() <= measurement.request.items()


def test_the_usual_points_are_not_spelt_out_and_answer_for_themselves(images: Path, results: Path) -> None:
    record = measure_rate(RunConfig(name="jpeg"), images=images, resolution=SIZE)
    assert record.provenance is not None
    assert "points" not in parse(record.provenance.command).request
    again = measure_rate(RunConfig(name="jpeg"), images=images, resolution=SIZE, points=",".join(QUALITIES))
    assert again == record


def test_a_record_answers_for_its_points_alone(images: Path, results: Path) -> None:
    def started(points: str) -> object:
        record = measure_rate(RunConfig(name="pca-f16x64"), images=images, resolution=SIZE, points=points)
        assert record.provenance is not None
        return record.provenance.started

    first = started("bits=4,bits=3")
    assert started("bits=4,bits=3") == first
    assert started("bits=4,bits=2") != first


class _Indices(Identity):
    def encode(self, images: Tensor) -> Latent:
        return DiscreteLatent(super().encode(images).values, *images.shape[2:], index_bits=8)


def test_a_latent_of_indices_is_unsupported(images: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "load", lambda config: _Indices())
    record = measure_rate(RunConfig(name="pca-f16x64"), images=images, resolution=SIZE)
    assert record.outcome.status is OutcomeStatus.UNSUPPORTED
    assert "a codebook already" in str(record.outcome.detail)


def test_an_image_that_cannot_be_read_is_named_and_has_no_part_in_the_models(images: Path, results: Path) -> None:
    (images / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    record = measure_rate(RunConfig(name="pca-f16x64"), images=images, resolution=SIZE, points="bits=4")
    assert record.outcome.failed == 1
    assert "1.png" in str(record.outcome.detail)
    assert record.outcome.done == 3


class _White(Identity):
    """Gives infinite numbers for a white image."""

    def encode(self, images: Tensor) -> Latent:
        latent = super().encode(images)
        return Latent(latent.values / float(images.min() < 1), latent.height, latent.width)


@pytest.mark.parametrize(("white", "failed"), [(["1.png"], 1), (["1.png", "3.png"], 4)])
def test_an_image_that_cannot_be_encoded_fails_and_has_no_part_in_the_models(
    white: list[str], failed: int, images: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in white:
        Image.new("RGB", (SIZE, SIZE), "white").save(images / name)
    monkeypatch.setattr(rate, "load", lambda config: _White())
    record = measure_rate(RunConfig(name="pca-f16x64"), images=images, resolution=SIZE, points="bits=4")
    assert (record.outcome.done, record.outcome.failed) == (4 - failed, failed)
    assert "1.png: ValueError: the latent holds values that are no finite numbers" in str(record.outcome.detail)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("jpeg:q=75", {}, "name the codec alone"),
        ("jpeg", {"points": "bits=4"}, "must read jpeg"),
        ("pca-f16x64", {"points": "q=75"}, "quantiser 'q=75' must read"),
        ("pca-f16x64", {"points": "bits=4,"}, "quantiser '' must read"),
        ("pca-f16x64", {"samples": 1}, "at least 2 images"),
        ("folder:/nowhere", {}, "a folder holds reconstructions alone"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    name: str, options: dict[str, object], sentence: str, images: Path, results: Path
) -> None:
    with pytest.raises(RequestError, match=sentence):
        measure_rate(RunConfig(name=name), images=images, resolution=SIZE, **options)  # type: ignore[arg-type]
