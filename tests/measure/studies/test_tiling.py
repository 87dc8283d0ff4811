"""Where tiles meet, against what diffusers blends; the error at seams in closed form; the records of both kinds."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.memory.probe import GIB, MemoryProbe
from vitok_lib.measure.memory.worker import ProbeResult
from vitok_lib.measure.studies import tiling_pairs
from vitok_lib.measure.studies.seams import BAND, borders, colour_step, joints, layout, seam_error, tile_layout
from vitok_lib.measure.studies.tiling import measure_tiling
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record, Settings, Weights
from vitok_lib.records.store import read_records, results_root
from vitok_lib.tokenizers.diffusers_classes.architectures import build_on_meta
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec
from vitok_lib.tokenizers.registry import SHIPPED, find

NAME = "nano-kl-f8x16"  # its tiles have 128 pixels a side, 96 from one to the next
TINY = "w32_d2_h2/8x6"
RANDOM = RunConfig(name=TINY, weights="random")
SIDE = 160


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for index, (height, width) in enumerate([(SIDE, SIDE), (100, SIDE)]):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def _values(record: Record) -> dict[str, float]:
    return {value.quantity: value.value for value in record.values}


@pytest.mark.parametrize(
    ("size", "tile", "step", "expected"),
    [
        (128, 128, 96, [96]),  # a second tile starts, though the first one reaches the end
        (96, 128, 96, []),
        (160, 128, 96, [96, 128]),
        (300, 128, 96, [96, 128, 192, 224, 288]),
        (200, 100, 100, [100]),  # tiles that do not overlap meet in one place
    ],
)
def test_a_border_is_where_a_tile_starts_and_where_the_one_before_it_ends(
    size: int, tile: int, step: int, expected: list[int]
) -> None:
    assert borders(layout(size, tile, step), size) == expected


@pytest.mark.parametrize("name", ["flux", "flux2", "sd", "qwen", "dc-ae-f32"])
def test_the_layout_is_what_diffusers_says(name: str) -> None:
    model: Any = build_on_meta(find(name))
    published = {"qwen": (256, 192), "dc-ae-f32": (512, 448)}  # of the others: three quarters of the trained size
    side = model.config.get("sample_size") or 0
    expected = published.get(name, (side, side * 3 // 4))
    assert tile_layout(model) == (expected, expected)


@torch.no_grad()
def test_diffusers_blends_from_border_to_border(monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoencoderKL.from_pretrained(SHIPPED / NAME)
    shades = iter(range(0, 1000, 10))

    def flat(latent: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 3, 8 * latent.shape[2], 8 * latent.shape[3]), float(next(shades)))

    monkeypatch.setattr(model.decoder, "forward", flat)
    model.enable_tiling()
    size = 304
    image = model.decode(torch.zeros(1, model.config.latent_channels, size // 8, size // 8)).sample[0, 0]
    (_, _), (tile, step) = tile_layout(model)
    places = borders(layout(size, tile, step), size)
    changes = set((image[0].diff().abs() > 1e-4).nonzero().flatten().tolist())
    # A blend starts with the old tile alone and ends before the new one is alone.
    expected = {at for start, end in zip(places[::2], [*places[1::2], size], strict=True) for at in range(start, end)}
    assert changes == {at for at in expected if at < size - 1}


def _stepped(height: int, width: int, seam: int, shade: int) -> tuple[torch.Tensor, torch.Tensor]:
    """An image, and the same off by 0 and 1 in turn from column to column, from ``seam`` on brighter by ``shade``."""
    untiled = torch.randint(50, 100, (3, height, width), generator=torch.Generator().manual_seed(1))
    columns = torch.arange(width)
    error = columns % 2 + shade * (columns >= seam)
    return untiled.to(torch.uint8), (untiled + error).to(torch.uint8)


def test_tiles_that_differ_by_a_constant_have_a_seam_where_they_meet_and_nowhere_else() -> None:
    seam, shade = 40, 20
    untiled, tiled = _stepped(16, 90, seam, shade)
    band = 2 * BAND + 1
    # Every step is off by one, and that to the even column of the seam by the shade less one.
    expected = ((band - 1) + (shade - 1) ** 2) / band
    assert seam_error(untiled, tiled, [], [seam]) == pytest.approx(expected)
    for beside in (seam - BAND, seam + BAND):
        assert seam_error(untiled, tiled, [], [beside]) == pytest.approx(expected)
    for apart in (seam - BAND - 1, seam + BAND + 1, 20):
        assert seam_error(untiled, tiled, [], [apart]) < 1
    turned = (untiled.transpose(1, 2), tiled.transpose(1, 2))
    assert seam_error(*turned, [seam], []) == pytest.approx(expected)


@pytest.mark.parametrize("overlap", [0, 16])
def test_the_colour_step_is_what_one_tile_is_brighter_than_the_next(overlap: int) -> None:
    tiles = [(0, 48), (48 - overlap, 96 - overlap), (96 - 2 * overlap, 144 - 2 * overlap)]
    width = tiles[-1][1]
    original = torch.randint(50, 100, (3, 32, width), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    reconstruction = original.clone()
    reconstruction[:, :, tiles[1][0] : tiles[1][1]] += 6  # the tile in the middle, blended or not
    for start, stop in joints(tiles, width):
        reconstruction[:, :, start:stop] = original[:, :, start:stop] + 3
    columns = joints(tiles, width)
    assert columns == [(48 - overlap, 48), (96 - 2 * overlap, 96 - overlap)]
    assert colour_step(original, reconstruction, [], columns) == pytest.approx(6)
    turned = original.transpose(1, 2), reconstruction.transpose(1, 2)
    assert colour_step(*turned, columns, []) == pytest.approx(6)
    assert colour_step(*turned, columns, [(16, 16)]) == pytest.approx(6 * math.sqrt(2 / 3))  # a third place without
    reconstruction[0] = original[0]  # red is right, green and blue are off
    assert colour_step(original, reconstruction, [], columns) == pytest.approx(6 * math.sqrt(2 / 3))
    assert colour_step(original, original + 9, [], columns) == 0
    assert math.isnan(colour_step(original, reconstruction, [], []))


def test_an_error_that_is_alike_everywhere_is_no_seam() -> None:
    untiled, tiled = _stepped(16, 90, 0, 20)
    assert seam_error(untiled, tiled, [], [40]) == pytest.approx(1)
    assert seam_error(untiled, tiled, [8], [40]) == pytest.approx(1)  # though none is off down


def test_where_nothing_is_off_there_is_no_ratio() -> None:
    untiled, _ = _stepped(16, 90, 0, 0)
    assert math.isnan(seam_error(untiled, untiled, [], [40]))
    assert math.isnan(seam_error(untiled, untiled + 1, [], [40]))
    assert math.isnan(seam_error(untiled, untiled, [], []))


@torch.no_grad()
def test_the_values_of_an_auto_encoder_are_those_of_diffusers_own(images: Path) -> None:
    record = measure_tiling(RunConfig(name=NAME), images=images, resolution=SIDE)
    assert record.outcome.status is OutcomeStatus.OK, record.outcome
    assert (record.settings.tiling, record.settings.batch) == (True, 1)
    untiled = AutoencoderKL.from_pretrained(SHIPPED / NAME).eval()
    expected: dict[str, list[float]] = {"untiled_psnr": [], "tiled_psnr": [], "tiled_agreement": []}
    largest = 0.0

    def decibels(one: np.ndarray, other: np.ndarray) -> float:
        return float(10 * np.log10(255**2 / np.mean((one - other) ** 2)))

    tiled = AutoencoderKL.from_pretrained(SHIPPED / NAME).eval()
    tiled.enable_tiling()
    for file in sorted(images.glob("*.png")):
        original = np.asarray(Image.open(file), np.float64)
        padded = np.pad(original, [(0, -side % 8) for side in original.shape[:2]] + [(0, 0)], mode="edge")
        pixels = torch.tensor(padded / 127.5 - 1, dtype=torch.float32).permute(2, 0, 1)[None]
        found = []
        for model in (untiled, tiled):
            image = model.decode(model.encode(pixels).latent_dist.mode()).sample[0].permute(1, 2, 0)
            cut = image[: original.shape[0], : original.shape[1]].clamp(-1, 1).double().numpy()
            found.append(np.round((cut + 1) * 127.5))
        expected["untiled_psnr"].append(decibels(original, found[0]))
        expected["tiled_psnr"].append(decibels(original, found[1]))
        expected["tiled_agreement"].append(decibels(found[0], found[1]))
        largest = max(largest, float(np.abs(found[1] - found[0]).max()))
    values = _values(record)
    for quantity, column in expected.items():
        assert values[quantity] == pytest.approx(np.mean(column), abs=2e-3), quantity
        value = record.value(quantity)
        assert value is not None
        assert value.n == 2
        assert value.interval is not None
        assert value.interval.low <= value.value <= value.interval.high
    assert values["max_difference"] == pytest.approx(largest, abs=1)
    assert values["seam_error"] > 0
    assert record.samples is not None
    table = pd.read_parquet(results_root() / "local" / f"tiling-{SIDE}" / record.samples)
    assert table["tiled_psnr"].mean() == pytest.approx(values["tiled_psnr"])
    assert list(table["image"]) == ["0.png", "1.png"]


def test_tiles_of_any_tokenizer_are_compared_and_patches_without_context_do_not_see_them(images: Path) -> None:
    record = measure_tiling(RunConfig(name="pca-f16x64", tile="96/32"), images=images, resolution=SIDE)
    assert (record.outcome.status, record.settings.tile) == (OutcomeStatus.OK, "96/32")
    values = _values(record)
    # A reconstruction in 8 bits may round the other way where a tile is summed in another order.
    assert values["tiling_change"] == pytest.approx(0, abs=1e-3)
    assert values["tiled_step"] == pytest.approx(values["untiled_step"], abs=1e-2)
    assert values["max_difference"] <= 1
    assert (results_root() / "local" / f"tiling-{SIDE}" / "pca-f16x64@tile=96_32.json").exists()
    assert record.provenance is not None
    assert parse(record.provenance.command).configs == (RunConfig(name="pca-f16x64", tile="96/32"),)
    seen = _values(measure_tiling(RunConfig(name="nano-f16x64", tile="96/0"), images=images, resolution=SIDE))
    assert seen["tiling_change"] == pytest.approx(seen["tiled_psnr"] - seen["untiled_psnr"])
    assert seen["seam_error"] > 0


def test_a_record_that_is_there_is_not_measured_again(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = measure_tiling(RANDOM, images=images, resolution=SIDE, samples=1)
    monkeypatch.setattr(
        "vitok_lib.measure.studies.image_study._go_through", lambda *words: pytest.fail("measured again")
    )
    assert measure_tiling(RANDOM, images=images, resolution=SIDE, samples=1) == record
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        measure_tiling(RANDOM, images=images, resolution=SIDE)  # of other images


def test_chunks_change_a_vitok_by_no_more_than_rounding(images: Path) -> None:
    record = measure_tiling(RANDOM.replace(chunk=64), images=images, resolution=SIDE)
    values = _values(record)
    assert list(values) == ["chunked_difference", "whole_time", "parts_time", "parts_slowdown"]
    assert values["chunked_difference"] < 1e-5
    assert (record.settings.chunk, record.settings.tiling) == (64, None)
    assert (results_root() / "local" / f"tiling-{SIDE}" / "w32_d2_h2_8x6@chunk=64,weights=random0.json").exists()
    assert read_records(benchmark="tiling") == [record]


class Shifted:
    """A tokenizer that is off by ``shift`` in one pixel."""

    spec = TokenizerSpec(TINY, "vitok", 8, 6, "a test")
    weights = Weights(source="random:0")

    def __init__(self, shift: float, chunk: int) -> None:
        self.shift, self.settings = shift, Settings(device="cpu", dtype="float32", chunk=chunk)

    def encode(self, images: torch.Tensor) -> Latent:
        return Latent(images.movedim(1, -1), *images.shape[2:])

    def decode(self, latent: Latent) -> torch.Tensor:
        images = latent.values.movedim(-1, 1).clone()
        images[0, 1, 2, 3] += self.shift
        return images


def test_a_difference_by_chunks_is_a_share_of_the_range(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling_pairs, "load", lambda config: Shifted(0.5 if config.chunk else 0, config.chunk))
    record = measure_tiling(RANDOM, images=images, resolution=SIDE)
    assert _values(record)["chunked_difference"] == pytest.approx(0.25)
    assert record.settings.chunk == tiling_pairs.CHUNK


class Slow(Shifted):
    """Takes 10 ms whole and 30 ms in parts; its first call takes 600 ms more, as that of compiled code does."""

    def __init__(self, chunk: int) -> None:
        super().__init__(0, chunk)
        self._wait = 0.6

    def decode(self, latent: Latent) -> torch.Tensor:
        time.sleep(self._wait + (0.03 if self.settings.chunk else 0.01))
        self._wait = 0.0
        return super().decode(latent)


def test_time_and_peak_memory_are_those_of_whole_and_of_parts(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(probe: MemoryProbe, resolution: int) -> ProbeResult:
        assert resolution == SIDE
        return ProbeResult(model_peak=4 * GIB if probe.spec.config.chunk else GIB)

    monkeypatch.setattr(tiling_pairs, "load", lambda config: Slow(config.chunk))
    monkeypatch.setattr(MemoryProbe, "attempt", attempt)
    record = measure_tiling(RANDOM, images=images, resolution=SIDE, peaks=True)
    values = _values(record)
    assert 10 <= values["whole_time"] < 300, "the first call, of 600 ms, is not timed"
    assert 30 <= values["parts_time"] < 300
    slowdown = record.value("parts_slowdown")
    assert slowdown is not None
    assert slowdown.n == 2
    times = pd.read_parquet(results_root() / "local" / f"tiling-{SIDE}" / str(record.samples))
    assert slowdown.value == pytest.approx((times["parts_time"] / times["whole_time"]).mean())
    assert (values["whole_peak"], values["parts_peak"]) == (1, 4)
    assert record.provenance is not None
    assert parse(record.provenance.command).request["peaks"] is True


def test_images_of_one_part_are_left_out_and_counted(images: Path) -> None:
    Image.new("RGB", (100, 100)).save(images / "small.png")
    record = measure_tiling(RANDOM, images=images, resolution=SIDE)
    assert record.outcome.status is OutcomeStatus.OK
    assert (record.outcome.total, record.outcome.done) == (3, 2)  # 400, 260 and 169 tokens; chunks have 256
    assert "are one part and were left out" in str(record.outcome.detail)


def test_where_every_image_is_one_part_nothing_can_be_told(images: Path) -> None:
    record = measure_tiling(RunConfig(name=NAME), images=images, resolution=64)
    assert record.outcome.status is OutcomeStatus.UNSUPPORTED
    assert record.outcome.detail == "at 64 px no image has more than one part"
    assert record.values == ()
    assert record.samples is None


@pytest.mark.parametrize("while_loading", [True, False])
def test_running_out_of_memory_is_an_outcome(
    while_loading: bool, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **named: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    if while_loading:
        monkeypatch.setattr(tiling_pairs, "load", fail)
    else:
        monkeypatch.setattr("vitok_lib.measure.studies.tiling.reconstructed", fail)
    record = measure_tiling(RANDOM, images=images, resolution=SIDE)
    assert record.outcome.status is OutcomeStatus.OOM
    assert record.outcome.memory is not None
    assert record.outcome.memory.requested_bytes == 2 * 2**30


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("jpeg:q=75", {}, "'jpeg:q=75' works neither in tiles nor in chunks"),
        (NAME, {"tiling": True}, "leave the option 'tiling' out"),
        (NAME, {"window": 3}, "is no ViTok: the setting window does not apply to it"),
    ],
)
def test_a_wrong_request_is_one_sentence(name: str, options: dict[str, Any], sentence: str, images: Path) -> None:
    with pytest.raises(RequestError) as refused:
        measure_tiling(RunConfig(name=name, **options), images=images, resolution=SIDE)
    assert sentence in str(refused.value)


def test_the_command_keeps_the_size_rule_and_the_seed_of_the_subset(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images.parent)
    asked = {"images": "./images", "resolution": 128, "rule": "centre-crop", "samples": 1, "subset_seed": 7}
    record = measure_tiling(RANDOM.replace(chunk=64), **asked)
    assert record.provenance is not None
    repeated = parse(record.provenance.command)
    assert repeated.configs == (record.requested,)
    assert {key: value for key, value in repeated.request.items() if key != "images"} == {
        key: value for key, value in asked.items() if key != "images"
    }
    (path,) = results_root().rglob("*.json")
    measured = record.images
    path.unlink()
    again = measure_tiling(repeated.configs[0], **repeated.request | {"images": "./images"})
    assert again.images == measured
    other = measure_tiling(RANDOM.replace(chunk=64), **asked | {"subset_seed": 8})
    assert other.images.subset_seed == 8
    assert len(list(results_root().rglob("*.json"))) == 2
