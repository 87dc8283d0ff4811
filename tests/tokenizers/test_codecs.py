"""Classical codecs: what Pillow writes and reads when it is called directly, and targets of bits per pixel."""

from __future__ import annotations

import io
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pillow_jxl  # noqa: F401  (registers JPEG XL with Pillow)
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, features
from skimage import data
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.tokenizers.codec_names import block_of
from vitok_lib.tokenizers.codecs import Bitstreams
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.load import load_tokenizer

Pixels = NDArray[np.uint8]
WRITTEN_WITH: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG", "subsampling": 0},
    "webp": {"format": "WEBP", "method": 4},
    "avif": {"format": "AVIF", "subsampling": "4:4:4", "codec": "aom", "speed": 6, "max_threads": 1},
    "jxl": {"format": "JXL", "effort": 7, "num_threads": 1},
}
CODECS = list(WRITTEN_WITH)
LOWEST = {"jpeg": 1, "webp": 0, "avif": 0, "jxl": 0}


@cache
def _photograph(name: str, height: int = 64, width: int = 96) -> Pixels:
    pixels: Pixels = getattr(data, name)()[60 : 60 + height, 180 : 180 + width]
    return pixels


def _images(*pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 127.5 - 1


def _pixels(images: Tensor) -> Pixels:
    pixels: Pixels = np.rint((images.permute(0, 2, 3, 1).double().numpy() + 1) * 127.5).astype(np.uint8)
    return pixels


def _by_pillow(codec: str, pixels: Pixels, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, quality=quality, **WRITTEN_WITH[codec])
    return buffer.getvalue()


def _streams(name: str, *pixels: Pixels) -> tuple[bytes, ...]:
    latent = load_tokenizer(name).encode(_images(*pixels))
    assert isinstance(latent, Bitstreams)
    return latent.streams


@pytest.mark.parametrize("codec", CODECS)
def test_streams_and_images_are_those_of_pillow_called_directly(codec: str) -> None:
    photographs = [_photograph("astronaut"), _photograph("coffee")]
    written = [_by_pillow(codec, pixels, 40) for pixels in photographs]
    tokenizer = load_tokenizer(f"{codec}:q=40")
    latent = tokenizer.encode(_images(*photographs))
    assert isinstance(latent, Bitstreams)
    assert list(latent.streams) == written
    assert latent.bits == tuple(8 * len(stream) for stream in written)
    read = np.stack([np.asarray(Image.open(io.BytesIO(stream))) for stream in written])
    decoded = tokenizer.decode(latent)
    assert decoded.dtype == torch.float32
    assert np.array_equal(_pixels(decoded), read)
    assert decoded.min() >= -1
    assert decoded.max() <= 1
    assert not np.array_equal(read, np.stack(photographs))


def test_streams_of_several_lengths_are_padded_with_zeros() -> None:
    flat, photograph = np.full((64, 96, 3), 200, np.uint8), _photograph("coffee")
    latent = load_tokenizer("jpeg").encode(_images(flat, photograph))
    assert isinstance(latent, Bitstreams)
    short, long = (len(_by_pillow("jpeg", pixels, 75)) for pixels in (flat, photograph))
    assert latent.lengths == (short, long)
    assert latent.values.shape == (2, 1, 1, long)
    assert latent.values.dtype == torch.uint8
    assert not latent.values[0, 0, 0, short:].any()
    assert latent.values[0, 0, 0, short - 1] == 0xD9  # the end marker of a JPEG


def test_no_chroma_is_halved_where_the_format_allows_it() -> None:
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[:, ::2] = (200, 60, 60)
    colours[:, 1::2] = (60, 60, 200)
    error = {}
    for codec in CODECS:
        decoded = _pixels(load_tokenizer(f"{codec}:q=99").reconstruct(_images(colours)))[0]
        error[codec] = np.abs(decoded.astype(int) - colours).mean()
    assert error["webp"] > 20
    assert max(error["jpeg"], error["avif"], error["jxl"]) < 5


def test_images_are_clamped_and_rounded_to_8_bits_first() -> None:
    steps = np.linspace(-1.3, 1.3, 3 * 40 * 50, dtype=np.float32).reshape(1, 3, 40, 50)
    expected = np.rint((np.clip(steps, -1, 1) + 1) * np.float32(127.5))
    lossless = load_tokenizer("jxl:q=100").reconstruct(torch.from_numpy(steps))
    assert np.array_equal(_pixels(lossless)[0], expected[0].transpose(1, 2, 0))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("target", [0.9, 1.5, 3.0, 6.0])
def test_the_target_takes_the_highest_quality_within_it(name: str, target: float) -> None:
    photograph = _photograph(name, 120, 160)
    written = [_by_pillow("jpeg", photograph, quality) for quality in range(1, 101)]
    within = [stream for stream in written if 8 * len(stream) / (120 * 160) <= target]
    assert _streams(f"jpeg:bpp={target}", photograph) == (within[-1],)


@pytest.mark.parametrize(("codec", "target"), [("webp", 0.8), ("webp", 2), ("avif", 1.5), ("jxl", 1.5)])
def test_the_next_quality_exceeds_the_target(codec: str, target: float) -> None:
    photograph = _photograph("coffee")
    (stream,) = _streams(f"{codec}:bpp={target}", photograph)
    most = target * 64 * 96 / 8
    assert len(stream) <= most
    written = {_by_pillow(codec, photograph, quality): quality for quality in range(40, 99)}  # the last of equal ones
    quality = written[stream]
    assert len(_by_pillow(codec, photograph, quality + 1)) > most


def test_each_image_of_a_batch_has_a_quality_of_its_own() -> None:
    photographs = [_photograph("astronaut"), _photograph("coffee"), _photograph("chelsea")]
    together = _streams("webp:bpp=1", *photographs)
    assert together == tuple(_streams("webp:bpp=1", pixels)[0] for pixels in photographs)
    assert len({len(stream) for stream in together}) == 3


@pytest.mark.parametrize("codec", CODECS)
def test_a_target_out_of_reach_takes_the_lowest_quality_and_its_true_bits(codec: str) -> None:
    pixels = _photograph("astronaut", 16, 16)
    written = _by_pillow(codec, pixels, LOWEST[codec])
    latent = load_tokenizer(f"{codec}:bpp=0.01").encode(_images(pixels))
    assert latent.bits == (8 * len(written),)
    assert 8 * len(written) > 0.01 * 16 * 16


def test_a_target_that_all_keep_takes_the_highest_quality() -> None:
    photograph = _photograph("coffee", 24, 32)
    assert _streams("jpeg:bpp=99", photograph) == (_by_pillow("jpeg", photograph, 100),)
    assert np.array_equal(_pixels(load_tokenizer("jxl:bpp=99").reconstruct(_images(photograph)))[0], photograph)


@pytest.mark.parametrize("codec", CODECS)
def test_quality_raises_psnr_and_bits_of_a_photograph(codec: str) -> None:
    photograph = _photograph("astronaut", 128, 128)
    psnr, bits = [], []
    for quality in (5, 30, 55, 80, 97):
        tokenizer = load_tokenizer(f"{codec}:q={quality}")
        latent = tokenizer.encode(_images(photograph))
        bits.append(latent.bits[0])
        psnr.append(peak_signal_noise_ratio(photograph, _pixels(tokenizer.decode(latent))[0]))
    assert psnr == sorted(psnr)
    assert bits == sorted(bits)
    assert psnr[-1] - psnr[0] > 8


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 37), (29, 1), (17, 23)])
def test_any_size_comes_back(codec: str, height: int, width: int) -> None:
    tokenizer = load_tokenizer(f"{codec}:q=95")
    grey = torch.full((2, 3, height, width), 0.2)
    assert (tokenizer.reconstruct(grey) - grey).abs().max() < 0.03
    assert tokenizer.reconstruct(grey).shape == grey.shape


@pytest.mark.parametrize(("codec", "side"), [("jpeg", 65500), ("webp", 16383)])
def test_the_longest_side_goes_through_and_one_pixel_more_does_not(codec: str, side: int) -> None:
    tokenizer = load_tokenizer(codec)
    assert tokenizer.reconstruct(torch.zeros(1, 3, 1, side)).shape == (1, 3, 1, side)
    with pytest.raises(UnsupportedError, match=rf"{codec} holds at most {side} px a side; .* 2 × {side + 1} px"):
        tokenizer.encode(torch.zeros(1).expand(1, 3, 2, side + 1))


@pytest.mark.parametrize(("codec", "side"), [("avif", 32768), ("jxl", 2**30)])
def test_a_longer_side_is_refused_before_anything_is_allocated(codec: str, side: int) -> None:
    with pytest.raises(UnsupportedError, match=f"{codec} holds at most {side} px"):
        load_tokenizer(codec).encode(torch.zeros(1).expand(1, 3, side + 1, side))


def test_an_image_that_a_format_cannot_hold_is_recorded_as_unsupported(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (16384, 1)).save(folder / "long.png")
    outcome = evaluate("webp", images=folder, resolution=16384, metrics=["bpp"]).outcome
    assert outcome.status is OutcomeStatus.UNSUPPORTED
    assert "webp holds at most 16383 px a side" in (outcome.detail or "")


def test_the_identity_says_how_the_encoder_is_set_and_which_it_is() -> None:
    variants = {
        "jpeg": "q=75, subsampling 4:4:4",
        "webp:bpp=0.5": "bpp=0.5, method 4",
        "avif": "q=75, subsampling 4:4:4, codec aom, speed 6, max_threads 1",
        "jxl:q=7": "q=7, effort 7, num_threads 0",
    }
    assert {name: load_tokenizer(name).spec.variant for name in variants} == variants
    for codec, module in {"jpeg": "libjpeg_turbo", "webp": "webp", "avif": "avif"}.items():
        weights = load_tokenizer(codec).weights
        assert weights.source == "none"
        assert str(features.version(module)) in str(weights.revision)
    assert str(load_tokenizer("jxl").weights.revision).startswith("pillow-jxl-plugin 1.")


def test_a_codec_alone_is_at_its_default_quality() -> None:
    photograph = _photograph("chelsea")
    assert _streams("jpeg", photograph) == _streams("jpeg:q=75", photograph)
    assert load_tokenizer("jpeg").spec.variant == load_tokenizer("jpeg:q=75").spec.variant


@pytest.mark.parametrize(
    "name",
    [
        "jpeg:",
        "jpeg:q=0",
        "jpeg:q=101",
        "jpeg:q=7.5",
        "jpeg:q=²",
        "jpeg:75",
        "jpeg:bpp=0",
        "jpeg:bpp=nan",
        "jpeg:bpp=x",
    ],
)
def test_a_setting_that_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match=rf"codec '{name}' must read jpeg, jpeg:q=QUALITY \(1 to 100\) or jpeg:bpp="):
        load_tokenizer(name)


@pytest.mark.parametrize("weights", ["random", Path("somewhere")])
def test_weights_are_refused(weights: str | Path) -> None:
    with pytest.raises(RequestError, match=rf"codec 'jpeg' has no weights \(='{weights}'\); leave them at 'released'"):
        load_tokenizer("jpeg", weights=weights)


def test_a_latent_of_another_tokenizer_is_refused() -> None:
    with pytest.raises(RequestError, match="jpeg decodes Bitstreams; this is a Latent"):
        load_tokenizer("jpeg").decode(Latent(torch.zeros(1, 1, 1, 9), 1, 1))


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(RequestError, match="images must be floating"):
        load_tokenizer("jpeg").encode(torch.zeros(3, 8, 8))


def test_a_pillow_without_the_codec_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda module: module != "avif")
    with pytest.raises(RequestError, match="this Pillow was built without avif"):
        load_tokenizer("avif")
    assert load_tokenizer("webp").spec.name == "webp"


def test_a_missing_plug_in_of_jpeg_xl_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(RequestError, match=r"codec 'jxl' cannot be loaded .*pip install pillow-jxl-plugin"):
        load_tokenizer("jxl")
    assert load_tokenizer("jpeg").spec.name == "jpeg"


@pytest.mark.parametrize(("name", "block"), [("jpeg:q=5", 8), ("jpeg", 8), ("webp", None), ("nano-f16x64", None)])
def test_only_jpeg_has_blocks_of_one_size(name: str, block: int | None) -> None:
    assert block_of(name) == block
