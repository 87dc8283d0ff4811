"""The rules of every tokenizer: kept by all that ship, and each broken by a tokenizer that breaks it alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from skimage import data
from torch import Tensor

from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.codecs import Bitstreams, ImageCodec
from vitok_lib.tokenizers.conformance import RULES, Finding, as_rows, check
from vitok_lib.tokenizers.interface import Latent, Tokenizer, TokenizerSpec
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import REGISTRY

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
SHIPPED = [name for name, entry in REGISTRY.items() if entry.sha256 is not None]
CODECS = ["jpeg", "webp:q=10", "avif:q=30", "jxl", "jxl:q=100", "jpeg:bpp=2", "webp:bpp=1"]
TINY = ["w32_d1_h2-w16_d2_h2/8x6", "w32_d1_h2-w16_d2_h2/1x16x16"]


class Whole:
    """Keeps every rule: means of 4 × 4 pixels."""

    def __init__(self) -> None:
        self.spec = TokenizerSpec("whole", "test", 4, 3, "this test")
        self.weights = Weights(source="none")
        self.settings = Settings(device="cpu", dtype="float32")

    def encode(self, images: Tensor) -> Latent:
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % 4, 0, -height % 4), mode="replicate")
        return Latent(F.avg_pool2d(padded, 4).permute(0, 2, 3, 1), height, width)

    def decode(self, latent: Latent) -> Tensor:
        images = F.interpolate(latent.values.permute(0, 3, 1, 2), scale_factor=4)
        return images[:, :, : latent.height, : latent.width]

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


class In8BitValues(Whole):
    def decode(self, latent: Latent) -> Tensor:
        return (super().decode(latent) + 1) * 127.5


class NotANumber(Whole):
    def decode(self, latent: Latent) -> Tensor:
        return super().decode(latent).clone().index_fill_(3, torch.tensor([0]), math.nan)


class Cropping(Whole):
    def encode(self, images: Tensor) -> Latent:
        height, width = images.shape[2:]
        return super().encode(images[:, :, : max(height // 4 * 4, 1), : max(width // 4 * 4, 1)])


class RaisingAtOddSizes(Whole):
    def encode(self, images: Tensor) -> Latent:
        if images.shape[3] % 4:
            raise ValueError("not divisible\nby four")
        return super().encode(images)


class WithTheSizeOfThePaddedImage(Whole):
    def encode(self, images: Tensor) -> Latent:
        latent = super().encode(images)
        return replace(latent, height=4 * latent.values.shape[1])


class NormalisingTheBatch(Whole):
    def decode(self, latent: Latent) -> Tensor:
        images = super().decode(latent)
        return images - 0.1 * images.mean((0, 2, 3), keepdim=True)


class WithNoise(Whole):
    def encode(self, images: Tensor) -> Latent:
        latent = super().encode(images)
        return replace(latent, values=latent.values + 1e-6 * torch.rand(latent.values.shape))


class WritingToTheImages(Whole):
    def encode(self, images: Tensor) -> Latent:
        return super().encode(images.mul_(0.5))


class WritingToTheLatent(Whole):
    def decode(self, latent: Latent) -> Tensor:
        latent.values.clamp_(-0.1, 0.1)
        return super().decode(latent)


class ReturningTheImages(Whole):
    def reconstruct(self, images: Tensor) -> Tensor:
        return images.clone()


class RememberingTheImages(Whole):
    def encode(self, images: Tensor) -> Latent:
        self._images = images.clone()
        return super().encode(images)

    def decode(self, latent: Latent) -> Tensor:
        return self._images


class OfAnotherDtype(Whole):
    def decode(self, latent: Latent) -> Tensor:
        return super().decode(latent).double()


class WithAFlatGrid(Whole):
    def encode(self, images: Tensor) -> Latent:
        latent = super().encode(images)
        return replace(latent, values=latent.values.flatten(1, 2)[:, None])

    def decode(self, latent: Latent) -> Tensor:
        columns = -(-latent.width // 4)
        return super().decode(replace(latent, values=latent.values[:, 0].unflatten(1, (-1, columns))))


@dataclass(frozen=True)
class FlatteringSpec(TokenizerSpec):
    @property
    def compression_ratio(self) -> float:
        return 48.0


class DeclaringAnotherRatio(Whole):
    def __init__(self) -> None:
        super().__init__()
        self.spec = FlatteringSpec("whole", "test", 4, 3, "this test")


@dataclass(frozen=True)
class OneNumber(Latent):
    @property
    def bits(self) -> tuple[int, ...]:
        return (64,)


class WithBitsOfTheBatch(Whole):
    def encode(self, images: Tensor) -> Latent:
        latent = super().encode(images)
        return OneNumber(latent.values, latent.height, latent.width)


def _jpeg() -> ImageCodec:
    codec = load_tokenizer("jpeg")
    assert isinstance(codec, ImageCodec)
    return codec


@dataclass(frozen=True)
class WithoutHeaders(Bitstreams):
    @property
    def bits(self) -> tuple[int, ...]:
        return tuple(8 * (length - 623) for length in self.lengths)


class LeavingOutHeaders(ImageCodec):
    def __init__(self) -> None:
        vars(self).update(vars(_jpeg()))

    def encode(self, images: Tensor) -> Bitstreams:
        latent = super().encode(images)
        return WithoutHeaders(latent.values, latent.height, latent.width, latent.lengths)


class ShorteningTheStreams(ImageCodec):
    """Counts half the bytes of each stream and reads all of them."""

    def __init__(self) -> None:
        vars(self).update(vars(_jpeg()))

    def encode(self, images: Tensor) -> Bitstreams:
        latent = super().encode(images)
        return replace(latent, lengths=tuple(length // 2 for length in latent.lengths))

    def decode(self, latent: Latent) -> Tensor:
        rows = latent.values.reshape(len(latent.values), -1)
        whole = [bytes(row.numpy().tobytes().rstrip(b"\0")) for row in rows]
        return super().decode(Bitstreams.of(whole, latent.height, latent.width))


class NeedingTheSize(ImageCodec):
    def __init__(self) -> None:
        vars(self).update(vars(_jpeg()))

    def decode(self, latent: Latent) -> Tensor:
        return super().decode(latent)[:, :, : latent.height, : latent.width]


BROKEN: list[tuple[Callable[[], Tokenizer], str, str]] = [
    (In8BitValues, "output", "outputs are finite, the largest 255 (at most 16)"),
    (NotANumber, "output", "outputs are not finite, the largest inf (at most 16)"),
    (Cropping, "sizes", "37 × 53 gave [1, 3, 36, 52]"),
    (RaisingAtOddSizes, "sizes", "1 × 1: raised ValueError: not divisible by four; "),
    (WithTheSizeOfThePaddedImage, "sizes", "37 × 53 gave [1, 3, 40, 53]"),
    (NormalisingTheBatch, "batch", "three images together and one by one differ by 0.0"),
    (WithNoise, "repeatable", "e-07 (latent) and "),
    (WritingToTheImages, "inputs kept", "the images changed by 0."),
    (WritingToTheLatent, "inputs kept", "the latent changed by 0."),
    (ReturningTheImages, "reconstruct", "reconstruct and decode of encode differ by 0."),
    (RememberingTheImages, "latent alone", "after other images are [1, 3, 8, 12] and [2, 3, 8, 12]"),
    (OfAnotherDtype, "dtype and device", "image float64 on cpu, latent on cpu; the settings say float32 on cpu"),
    (WithAFlatGrid, "grid", "the latent of 2 images of 8 × 12 px is [2, 1, 6, 3], declared [2, 2, 3, 3]"),
    (DeclaringAnotherRatio, "compression ratio", "16 pixel values for each latent value, declared 48"),
    (WithBitsOfTheBatch, "bits", "2 images take [64] bits"),
    (LeavingOutHeaders, "bits", "their streams ["),
    (ShorteningTheStreams, "latent alone", "raised "),
    (NeedingTheSize, "latent alone", "are [1, 3, 32, 48] and [1, 3, 0, 0]"),
]


def _broken(findings: list[Finding]) -> list[str]:
    return [f"{finding.rule}: {finding.detail}" for finding in findings if not finding.passed]


@pytest.mark.parametrize("name", [*SHIPPED, *CODECS])
def test_what_ships_keeps_every_rule(name: str) -> None:
    findings = check(load_tokenizer(name))
    assert [finding.rule for finding in findings] == list(RULES)
    assert _broken(findings) == []


@pytest.mark.parametrize("name", TINY)
def test_untrained_vitoks_keep_every_rule(name: str) -> None:
    assert _broken(check(load_tokenizer(name, weights="random"))) == []


@pytest.mark.parametrize(("name", "dtype"), [("nano-f16x64", "bfloat16"), ("pca-f16x64", "float64")])
def test_other_dtypes_keep_every_rule(name: str, dtype: str) -> None:
    assert _broken(check(load_tokenizer(name, dtype=dtype))) == []


def test_the_whole_tokenizer_of_this_test_keeps_every_rule() -> None:
    assert _broken(check(Whole())) == []


@pytest.mark.parametrize(("make", "rule", "words"), BROKEN, ids=[make.__name__ for make, _, _ in BROKEN])
def test_a_tokenizer_breaks_the_one_rule_that_it_is_made_to_break(
    make: Callable[[], Tokenizer], rule: str, words: str
) -> None:
    broken = [finding for finding in check(make()) if not finding.passed]
    assert [finding.rule for finding in broken] == [rule]
    assert words in broken[0].detail


def test_every_rule_has_a_tokenizer_that_breaks_it() -> None:
    assert {rule for _, rule, _ in BROKEN} == set(RULES)


def test_an_image_on_another_device_is_found() -> None:
    class Elsewhere(Whole):
        def decode(self, latent: Latent) -> Tensor:
            return super().decode(latent).to("meta")

    findings = {finding.rule: finding for finding in check(Elsewhere())}
    assert not findings["dtype and device"].passed
    assert findings["dtype and device"].detail.startswith("image float32 on meta, latent on cpu")


def test_a_tokenizer_that_raises_gives_findings_and_no_traceback() -> None:
    class Raising(Whole):
        def encode(self, images: Tensor) -> Latent:
            raise RuntimeError("no such kernel\n(at line 3)")

    findings = check(Raising())
    assert [finding.rule for finding in findings] == list(RULES)
    assert not any(finding.passed for finding in findings)
    assert findings[0].detail == "raised RuntimeError: no such kernel (at line 3)"


def test_a_table_has_a_row_for_each_finding() -> None:
    rows = as_rows([Finding("batch", True, "no difference"), Finding("bits", False, "none")])
    assert rows == [
        {"rule": "batch", "result": "kept", "detail": "no difference"},
        {"rule": "bits", "result": "BROKEN", "detail": "none"},
    ]


def test_the_example_for_users_conforms_and_is_a_cosine_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.fft import dctn

    monkeypatch.syspath_prepend(EXAMPLES)
    tokenizer = load_tokenizer("block_dct:make_tokenizer", dtype="float64")
    assert _broken(check(tokenizer)) == []
    image = data.astronaut()[100:108, 200:208].astype(float) / 127.5 - 1  # one block
    lowest = dctn(image, axes=(0, 1), norm="ortho")[:2, :2].transpose(2, 0, 1).ravel()
    latent = tokenizer.encode(torch.from_numpy(image).permute(2, 0, 1)[None])
    torch.testing.assert_close(latent.values[0, 0, 0], torch.from_numpy(lowest), atol=1e-5, rtol=0)
    assert len((EXAMPLES / "block_dct.py").read_text(encoding="utf-8").splitlines()) <= 60
