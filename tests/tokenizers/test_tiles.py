"""Overlapping tiles: what they cover, how they are blended, and what they leave as it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tests.fakes.tokenizers import Identity
from vitok_lib.cost.flops import vitok_flops
from vitok_lib.errors import RequestError
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.interface import DiscreteLatent, Latent, TokenizerSpec
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.tiles import Tiled, lay, owned, spans
from vitok_lib.tokenizers.vitok.variant import parse_variant

SIZES = (1, 7, 16, 31, 32, 33, 50, 95, 96, 97, 250)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class Patches(Identity):
    """The identity on patches of 4 px, and what each call of decode adds to its tile."""

    def __init__(self, *added: float) -> None:
        super().__init__()
        self.spec = TokenizerSpec("patches", "test", 4, 48, "a test")
        self.added = list(added)

    def encode(self, images: Tensor) -> Latent:
        height, width = images.shape[2:]
        self.shapes.append(images.shape)
        padded = torch.nn.functional.pad(images, (0, -width % 4, 0, -height % 4))
        return Latent(torch.nn.functional.pixel_unshuffle(padded, 4).movedim(1, -1), height, width)

    def decode(self, latent: Latent) -> Tensor:
        images = torch.nn.functional.pixel_shuffle(latent.values.movedim(-1, 1), 4)[
            :, :, : latent.height, : latent.width
        ]
        self.calls += 1
        return images + (self.added[self.calls - 1] if self.added else 0)


@pytest.mark.parametrize("overlap", [0, 4, 16, 28])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_cover_a_side_evenly_with_no_less_overlap_than_asked_for(size: int, overlap: int) -> None:
    tiles = spans(size, 32, overlap, 4)
    assert (tiles[0][0], tiles[-1][1]) == (0, size)
    assert all(start % 4 == 0 for start, _ in tiles)
    assert all(stop - start == 32 for start, stop in tiles[:-1])
    assert all(one[1] - other[0] >= overlap for one, other in pairwise(tiles))
    fewest = next(count for count in range(1, 999) if 32 + (count - 1) * (32 - overlap) >= size)
    assert len(tiles) == fewest
    parts = owned(tiles, 4)
    assert [place for first, end in parts for place in range(first, end)] == list(range(-(-size // 4)))
    for (start, stop), (first, end) in zip(tiles, parts, strict=True):
        assert start <= first * 4 < min(end * 4, stop) <= stop


@pytest.mark.parametrize("overlap", [0, 4, 16, 28])
@pytest.mark.parametrize(("height", "width"), [(32, 33), (50, 97), (95, 7), (1, 250)])
def test_what_loses_nothing_gives_the_image_back_to_the_bit(height: int, width: int, overlap: int) -> None:
    images = noise(2, 3, height, width)
    for tokenizer in (Identity(), Patches()):
        tiled = Tiled(tokenizer, f"32/{overlap}")
        latent = tiled.encode(images)
        assert torch.equal(latent.values, tokenizer.encode(images).values)
        assert torch.equal(tiled.decode(latent), images)
        assert torch.equal(tiled.reconstruct(images), images)


def test_the_weights_are_a_straight_line_over_the_overlap_and_sum_to_1() -> None:
    weights = []
    for tile in range(2):
        added = [0.0, 0.0]
        added[tile] = 1.0
        decoded = Tiled(Patches(*added), "32/8").decode(Latent(torch.zeros(1, 8, 14, 48), 32, 56))
        weights.append(decoded[0, 0, 0])
    line = (torch.arange(8) + 0.5) / 8
    assert torch.allclose(weights[1], torch.cat([torch.zeros(24), line, torch.ones(24)]))
    assert torch.allclose(weights[0] + weights[1], torch.ones(56))


@pytest.mark.parametrize("overlap", [0, 8, 24])
def test_the_weights_of_all_tiles_of_a_grid_sum_to_1(overlap: int) -> None:
    latent = Latent(torch.zeros(1, 20, 25, 48), 78, 99)
    count = len(spans(78, 32, overlap, 4)) * len(spans(99, 32, overlap, 4))
    total = torch.zeros(1, 3, 78, 99)
    for tile in range(count):
        weight = Tiled(Patches(*[float(index == tile) for index in range(count)]), f"32/{overlap}").decode(latent)
        assert weight.min() >= 0
        total += weight
    assert torch.allclose(total, torch.ones(()), atol=1e-5)


def test_laying_takes_values_that_are_equal_as_they_are() -> None:
    before, after = noise(1, 3, 4, 50), noise(1, 3, 4, 30, seed=1)
    after[..., :20] = before[..., 20:40]
    whole = before.clone()
    lay(whole, after, 3, 20, 40)
    assert torch.equal(whole, torch.cat([before[..., :40], after[..., 20:]], 3))


@pytest.mark.parametrize("name", ["nano-f16x64", "pca-f16x64"])
def test_an_image_of_one_tile_is_as_without_tiles_to_the_bit(name: str) -> None:
    images = noise(1, 3, 61, 64)
    tokenizer, tiled = load_tokenizer(name), load_tokenizer(name, tile="64/16")
    assert torch.equal(tiled.encode(images).values, tokenizer.encode(images).values)
    assert torch.equal(tiled.reconstruct(images), tokenizer.reconstruct(images))
    assert (tokenizer.settings.tile, tiled.settings.tile) == (None, "64/16")


def test_each_tile_is_encoded_on_its_own_and_an_edge_is_padded_as_without_tiles() -> None:
    images, tokenizer = noise(1, 3, 40, 75), load_tokenizer("nano-f16x64")
    tiled = load_tokenizer("nano-f16x64", tile="64/32")
    values = tiled.encode(images).values
    left, right = (tokenizer.encode(images[..., start:stop]).values for start, stop in ((0, 64), (16, 75)))
    assert values.shape == tokenizer.encode(images).values.shape
    assert torch.equal(values, torch.cat([left[:, :, :2], right[:, :, 1:]], 2))  # 40 px is half-way of 16 to 64


def test_work_by_patches_without_any_context_does_not_see_tiles() -> None:
    images = noise(2, 3, 75, 90)
    whole, tiled = load_tokenizer("pca-f16x32"), load_tokenizer("pca-f16x32", tile="32/16")
    torch.testing.assert_close(tiled.reconstruct(images), whole.reconstruct(images))


def test_vectors_of_a_codebook_stay_in_it() -> None:
    class Codes(Patches):
        def encode(self, images: Tensor) -> Latent:
            latent = super().encode(images)
            return DiscreteLatent(latent.values.sign(), latent.height, latent.width, 48)

    latent = Tiled(Codes(), "32/16").encode(noise(1, 3, 60, 60))
    assert isinstance(latent, DiscreteLatent)
    assert latent.bits == (15 * 15 * 48,)
    assert set(latent.values.unique().tolist()) <= {-1.0, 0.0, 1.0}


def test_one_tile_goes_through_at_a_time() -> None:
    tokenizer = Patches()
    Tiled(tokenizer, "32/8").reconstruct(noise(1, 3, 100, 100))
    assert set(tokenizer.shapes) == {torch.Size((1, 3, 32, 32))}
    assert (len(tokenizer.shapes), tokenizer.calls) == (16, 16)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "nano-f16x64",
            {"tile": "100/16"},
            "multiples of the 16 px of a patch of 'nano-f16x64', such as 112/16",
        ),
        ("nano-f16x64", {"tile": "64/24"}, "such as 64/16"),
        ("nano-f16x64", {"tile": "40/39"}, "such as 48/32"),
        ("jpeg:q=75", {"tile": "64/0"}, "codec 'jpeg:q=75' has no latent grid"),
        ("nano-kl-f8x16", {"tile": "64/0", "tiling": True}, "exclude each other"),
        ("nano-kl-f8x16", {"tile": "64/0", "posterior": "sample"}, "each tile would get the same noise"),
    ],
)
def test_a_tile_that_cannot_be_is_refused_in_a_sentence(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        load_tokenizer(name, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("tile", ["8/0", "100/16"])
def test_a_plan_refuses_a_tile_that_is_no_whole_patches(tile: str) -> None:
    with pytest.raises(RequestError, match="multiples of the 16 px of a patch of 'nano-f16x64'"):
        plan_of(RunConfig(name="nano-f16x64", tile=tile), 256)


def test_what_a_tokenizer_chooses_as_it_meets_a_new_size_is_known_of_its_tiles_too() -> None:
    class Choosing(Patches):
        def __init__(self) -> None:
            super().__init__()
            self.choices: dict[str, str] = {}

        def encode(self, images: Tensor) -> Latent:
            self.choices["attention"] = "the fastest"
            return super().encode(images)

    tiled = Tiled(Choosing(), "32/8")
    tiled.encode(noise(1, 3, 64, 64))
    assert tiled.choices == {"attention": "the fastest"}


def test_a_latent_that_is_no_grid_is_refused() -> None:
    class Flat(Patches):
        def encode(self, images: Tensor) -> Latent:
            latent = super().encode(images)
            return replace(latent, values=latent.values.flatten(1, 2))

    with pytest.raises(RequestError, match=r"no grid of 8 × 8 vectors; leave tile out"):
        Tiled(Flat(), "32/0").encode(noise(1, 3, 64, 64))
    unknown = Identity()
    unknown.spec = replace(unknown.spec, downsampling=None)
    with pytest.raises(RequestError, match="has no latent grid for tiles"):
        Tiled(unknown, "32/0")


def test_a_plan_follows_the_tile() -> None:
    variant = parse_variant(find("nano-f16x64").architecture)
    tiled, alone = (
        plan_of(RunConfig(name="nano-f16x64", tile="256/64"), 2048),
        plan_of(RunConfig(name="nano-f16x64"), 256),
    )
    assert tiled.encode_work == vitok_flops(variant, 256, 256, batch=11 * 11).encoder  # 256 + 10 · 192 ≥ 2048
    assert alone.decode_bytes is not None
    image, strip = 3 * 4 * 2048**2, 3 * 4 * 2048 * 256
    assert tiled.decode_bytes == pytest.approx(image + strip + alone.decode_bytes, rel=0.02)
