"""What padding and aspect ratios change: nothing of a tokenizer by pixels, and what is known of made-up errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.measure.studies import padding
from vitok_lib.measure.studies.padding import ASPECTS, FILLS, aspect_crops, measure_padding
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record, Settings, Weights
from vitok_lib.records.store import LOCAL
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

NAME, STRIDE, WIDTH, HEIGHT = "pca-f16x64", 16, 96, 64
CHANGES = {"padding_change", "border_change", "inside_change", "canvas_change", *FILLS, *ASPECTS}


class Off:
    """A tokenizer that is off by ``levels`` of its input ``[3, H, W]``, ``[H, W]`` or one number, in 8-bit levels."""

    spec = TokenizerSpec(NAME, "pca", STRIDE, 64, "a test")
    weights = Weights(source="random:0")
    settings = Settings(device="cpu", dtype="float32")

    def __init__(self, levels: Callable[[torch.Tensor], torch.Tensor | float]) -> None:
        self.levels = levels

    def encode(self, images: torch.Tensor) -> Latent:
        return Latent(images.movedim(1, -1), *images.shape[2:])

    def decode(self, latent: Latent) -> torch.Tensor:
        images = latent.values.movedim(-1, 1)
        return images + torch.as_tensor(self.levels(images[0])) / 127.5

    def reconstruct(self, images: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(images))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "greys"
    folder.mkdir()
    Image.new("RGB", (WIDTH, HEIGHT), (60, 60, 60)).save(folder / "wide.png")
    return folder


def _of(off: Off, images: Path, monkeypatch: pytest.MonkeyPatch, study: str = LOCAL) -> Record:
    monkeypatch.setattr(padding, "load", lambda config: off)
    record = measure_padding(RunConfig(name=NAME), images=images, resolution=WIDTH, study=study)
    assert record.outcome.status is OutcomeStatus.OK, record.outcome
    return record


def _values(record: Record) -> dict[str, float]:
    return {value.quantity: value.value for value in record.values}


@pytest.mark.parametrize("shift", [0, 5])
def test_a_tokenizer_by_pixels_sees_no_padding_and_no_shape(
    shift: int, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = _values(_of(Off(lambda image: shift), images, monkeypatch))
    expected = 20 * math.log10(255 / shift) if shift else 100
    assert values.pop("continued_psnr") == values.pop("square_psnr") == pytest.approx(expected)
    assert values == dict.fromkeys(CHANGES, 0)


def test_an_error_in_patches_with_padding_is_found_there_alone(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def worse_where_padded(image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[1:]
        levels = torch.full((height, width), 2.0)
        levels[height // STRIDE * STRIDE :] = levels[:, width // STRIDE * STRIDE :] = 8.0
        return levels

    values = _values(_of(Off(worse_where_padded), images, monkeypatch))
    inside, true = (HEIGHT - 16) * (WIDTH - 16), (HEIGHT - 8) * (WIDTH - 8)
    squares = (4 * inside + 64 * (true - inside)) / true
    assert values["padding_change"] == pytest.approx(-10 * math.log10(squares / 4))
    assert values["border_change"] == pytest.approx(-20 * math.log10(4))
    assert all(values[name] == 0 for name in CHANGES - {"padding_change", "border_change"})


def test_a_padding_made_before_is_what_the_tokenizer_sees(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Off by 1 level, or by 3 where the lower right corner holds the 0 of a padding.
    values = _values(_of(Off(lambda image: 3.0 if bool((image[:, -1, -1] == 0).all()) else 1.0), images, monkeypatch))
    changed = {"grey_change", "canvas_change"}
    assert all(values[name] == pytest.approx(-20 * math.log10(3)) for name in changed)
    assert all(values[name] == 0 for name in CHANGES - changed)


def test_an_error_that_grows_with_the_columns_changes_with_the_aspect(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = Off(lambda image: image.shape[2] // STRIDE)
    values = _values(_of(off, images, monkeypatch, study="wide"))
    assert values["square_psnr"] == pytest.approx(20 * math.log10(255 / 3))
    assert values["aspect_3_2_change"] == pytest.approx(-20 * math.log10(4 / 3))
    assert values["aspect_4_1_change"] == pytest.approx(-20 * math.log10(6 / 3))
    assert values["canvas_change"] == 0  # as wide as before
    (images / "wide.png").unlink()
    Image.new("RGB", (HEIGHT, WIDTH), (60, 60, 60)).save(images / "high.png")
    values = _values(_of(off, images, monkeypatch))
    assert values["aspect_4_1_change"] == pytest.approx(20 * math.log10(3 / 2))
    assert values["canvas_change"] == pytest.approx(-20 * math.log10(6 / 4))


@pytest.mark.parametrize("grid", [(2, 2), (2, 9), (18, 32), (32, 18), (64, 64), (33, 50)])
def test_crops_of_several_aspects_lie_in_the_grid_and_share_a_centre(grid: tuple[int, int]) -> None:
    crops = aspect_crops(*grid)
    for top, left, high, wide in crops:
        assert 0 <= top <= top + high <= grid[0]
        assert 0 <= left <= left + wide <= grid[1]
    for axis in (0, 1):
        assert max(crop[axis] for crop in crops) < min(crop[axis] + crop[axis + 2] for crop in crops)
    if min(grid) >= 18:
        area = crops[0][2] * crops[0][3]
        for (_, _, high, wide), ratio in zip(crops, (1, *ASPECTS.values()), strict=True):
            assert high * wide == pytest.approx(area, rel=0.05)
            assert max(high, wide) / min(high, wide) == pytest.approx(ratio, rel=0.1)


def test_patches_without_context_change_by_their_own_padding_alone(images: Path) -> None:
    record = measure_padding(RunConfig(name=NAME), images=images, resolution=WIDTH)
    values = _values(record)
    assert values["padding_change"] == values["edge_change"]
    assert all(abs(values[name]) < 1e-2 for name in ("inside_change", "canvas_change", *ASPECTS))


def test_a_vitok_pads_with_grey(images: Path) -> None:
    values = _values(measure_padding(RunConfig(name="nano-f16x64"), images=images, resolution=WIDTH))
    assert values["padding_change"] == pytest.approx(values["grey_change"], abs=1e-6)


def test_images_of_less_than_two_patches_are_left_out_and_counted(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (WIDTH, 12)).save(images / "low.png")
    record = _of(Off(lambda image: 1), images, monkeypatch)
    assert (record.outcome.total, record.outcome.done) == (2, 1)
    assert "1 of 2 images have fewer than two patches a side" in str(record.outcome.detail)


def test_a_codec_has_no_patch_to_pad(images: Path) -> None:
    with pytest.raises(RequestError, match="'jpeg:q=75' has no latent grid"):
        measure_padding(RunConfig(name="jpeg:q=75"), images=images, resolution=WIDTH)
