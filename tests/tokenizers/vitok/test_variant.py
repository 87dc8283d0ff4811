"""The variant grammar and the arithmetic that follows from a variant alone."""

from __future__ import annotations

import re

import pytest
import torch

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.registry import REGISTRY, describe
from vitok_lib.tokenizers.vitok.checkpoint import empty_modules
from vitok_lib.tokenizers.vitok.variant import Side, looks_like_variant, parse_variant

BASES = {"B": (768, 12, 12), "L": (1024, 24, 16), "G": (1728, 32, 24), "T": (3072, 40, 24), "E": (4096, 48, 32)}
RELEASED = {
    "350M-f16x16": ("Ld4", "Ld24", 16, 16),
    "350M-f16x32": ("Ld4", "Ld24", 16, 32),
    "350M-f16x64": ("Ld4", "Ld24", 16, 64),
    "5B-f16x16": ("Td4", "T", 16, 16),
    "5B-f16x32": ("Td4", "T", 16, 32),
    "5B-f16x64": ("Td4", "T", 16, 64),
    "5B-f32x64": ("Td4", "T", 32, 64),
    "5B-f32x128": ("Td4", "T", 32, 128),
    "5B-f32x256": ("Td4", "T", 32, 256),
}


@pytest.mark.parametrize("letter", BASES)
def test_a_base_letter_stands_for_its_width_depth_and_heads(letter: str) -> None:
    side = parse_variant(f"{letter}/1x16x64").encoder
    assert (side.width, side.depth, side.heads) == BASES[letter]


def test_one_side_holds_for_both() -> None:
    variant = parse_variant("Ld3/1x16x64")
    assert variant.encoder == variant.decoder == Side(width=1024, depth=3, heads=16)


def test_two_sides_are_encoder_then_decoder() -> None:
    variant = parse_variant("Td4-T/1x16x64")
    assert (variant.encoder.depth, variant.decoder.depth) == (4, 40)


def test_patch_and_channels_need_no_temporal_stride() -> None:
    short, long = parse_variant("B/32x128"), parse_variant("B/1x32x128")
    assert (short.patch, short.channels) == (long.patch, long.channels) == (32, 128)


def test_every_modifier_changes_its_own_size() -> None:
    variant = parse_variant("Bw512d3h8m4/16x8")
    assert variant.encoder == Side(width=512, depth=3, heads=8)
    assert variant.mlp_factor == 4


@pytest.mark.parametrize("text", ["w256_d2_h4", "h4_w256_d2", "w256d2h4"])
def test_a_side_may_be_written_out(text: str) -> None:
    assert parse_variant(f"{text}/16x8").encoder == Side(width=256, depth=2, heads=4)


@pytest.mark.parametrize(
    ("text", "factor"), [("Bm4-Bm3/16x8", 4), ("Bm3-Bm4.5/16x8", 4.5), ("B-Bm3/16x8", 3), ("B-Bm2/16x8", 2.67)]
)
def test_the_larger_mlp_factor_holds_for_both_sides(text: str, factor: float) -> None:
    assert parse_variant(text).mlp_factor == factor


@pytest.mark.parametrize(
    ("text", "hidden"),
    [("T/16x64", 8208), ("w32_d1_h2/16x8", 80), ("w48_d1_h3/16x8", 128), ("Bm4/16x8", 3072)],
    ids=["T", "w32", "w48", "factor-4"],
)
def test_the_hidden_width_is_a_multiple_of_16(text: str, hidden: int) -> None:
    variant = parse_variant(text)
    assert variant.hidden(variant.encoder) == hidden


def test_f16x64_compresses_12_to_1() -> None:
    assert parse_variant("Td4-T/1x16x64").compression_ratio == 12


@pytest.mark.parametrize(
    ("height", "width", "tokens"), [(8192, 8192, 262_144), (1, 1, 1), (16, 17, 2), (37, 53, 12)], ids=str
)
def test_a_padded_grid_counts_each_started_patch(height: int, width: int, tokens: int) -> None:
    assert parse_variant("T/16x64").tokens(height, width) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "B/16",
        "B/x16x64",
        "B/2x1x16x64",
        "B/16x64/1",
        "B/16x64 ",
        "B/-16x64",
        "B/16.5x64",
        "B/2x16x64",
        "B/0x16x64",
        "B/0x64",
        "B/16x0",
        "/16x64",
        "-B/16x64",
        "B-/16x64",
        "B-B-B/16x64",
        "X/16x64",
        "b/16x64",
        "Bq3/16x64",
        "Bd/16x64",
        "Bd-1/16x64",
        "Bd2.5/16x64",
        "Bd2d3/16x64",
        "Bd0/16x64",
        "Bw0/16x64",
        "Bh0/16x64",
        "Bh7/16x64",
        "Bw36h12/16x64",
        "Bm0/16x64",
        "w256_d2/16x64",
        "w256_h4/16x64",
        "d2_h4/16x64",
    ],
)
def test_a_bad_variant_is_refused_by_name(text: str) -> None:
    with pytest.raises(RequestError, match=re.escape(f"variant '{text}'")):
        parse_variant(text)


def test_a_bad_side_is_named_beside_its_variant() -> None:
    with pytest.raises(RequestError, match=r"side 'Q9' of variant 'B-Q9/16x64'.*bases are B, L, G, T, E"):
        parse_variant("B-Q9/16x64")


@pytest.mark.parametrize("text", ["nano-f16x64", "some/folder", "a/b/16x64", "T/abc"])
def test_names_and_paths_are_no_variants(text: str) -> None:
    assert not looks_like_variant(text)


@pytest.mark.parametrize("name", RELEASED)
def test_a_released_name_stands_for_its_variant_and_repository(name: str) -> None:
    encoder, decoder, patch, channels = RELEASED[name]
    spec = describe(name)
    assert spec.variant == f"{encoder}-{decoder}/1x{patch}x{channels}"
    assert (spec.downsampling, spec.latent_channels) == (patch, channels)
    assert spec.repository == f"philippehansen/ViTok-v2-{name}"


def test_every_released_vitok_is_in_the_registry_and_no_other() -> None:
    released = {name for name, entry in REGISTRY.items() if entry.family == "vitok" and entry.repository}
    assert released == set(RELEASED)


@pytest.mark.parametrize("name", [*RELEASED, "nano-f16x64", "nano-f32x128", "w64_d1_h4m3.5-w32_d2_h2/8x5"])
def test_the_closed_form_counts_the_parameters_that_the_model_has(name: str) -> None:
    spec = describe(name)
    assert spec.variant is not None
    modules = empty_modules(parse_variant(spec.variant)).values()
    parameters = [parameter for module in modules for parameter in module.parameters()]
    assert all(parameter.is_meta for parameter in parameters)
    assert spec.parameters == sum(parameter.numel() for parameter in parameters)


def test_the_decoder_blocks_of_5b_hold_113_million_matrix_weights_each() -> None:
    decoder = empty_modules(parse_variant("Td4-T/1x16x64"))["decoder"]
    prefix = "decoder_blocks.0."
    weights = sum(p.numel() for name, p in decoder.named_parameters() if name.startswith(prefix) and p.ndim == 2)
    assert weights == 4 * 3072**2 + 3 * 3072 * 8208
    assert weights == pytest.approx(113.4e6, rel=1e-3)


def test_5b_is_counted_on_the_meta_device_as_five_billion() -> None:
    parameters = describe("5B-f16x64").parameters
    assert parameters is not None
    assert 4.9e9 < parameters < 5.1e9
    assert torch.get_default_device().type == "cpu"
