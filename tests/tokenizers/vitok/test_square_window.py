"""A window of rows and columns, against a mask that is made pair by pair."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from vitok_lib.cost.flops import raster_radius, vitok_flops, window_pairs
from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import EVAL, Measurement, command, parse
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.records.config import RunConfig, Weights
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok.attention import Square, attention
from vitok_lib.tokenizers.vitok.variant import parse_variant

TOKENIZER = "w32_d2_h2/8x6"


def _seen(rows: int, columns: int, radius: int) -> Tensor:
    """Which tokens see which, ``[N, N]``, by their places in the grid, pair by pair."""
    places = [(row, column) for row in range(rows) for column in range(columns)]
    return torch.tensor([[abs(a - c) <= radius and abs(b - d) <= radius for c, d in places] for a, b in places])


def _random(tokens: int) -> Tensor:
    return torch.randn(3, 2, 2, tokens, 8, generator=torch.Generator().manual_seed(tokens), dtype=torch.float64)


@pytest.mark.parametrize("kernel", ["bands", "mask"])
@pytest.mark.parametrize(
    ("rows", "columns", "radius"),
    [
        (1, 1, 0),
        (5, 7, 0),
        (5, 7, 2),
        (5, 7, 5),
        (5, 7, 6),
        (16, 16, 3),
        (17, 33, 4),
        (33, 17, 1),
        (2, 40, 3),
        (20, 18, 17),
    ],
)
def test_attention_within_rows_and_columns_equals_the_dense_mask(
    rows: int, columns: int, radius: int, kernel: str
) -> None:
    query, key, value = _random(rows * columns)
    scores = query @ key.transpose(-1, -2) / math.sqrt(8)
    expected = scores.masked_fill(~_seen(rows, columns, radius), -math.inf).softmax(-1) @ value
    found = attention(query, key, value, Square(radius, rows, columns), windowed=kernel)
    difference = (found - expected).abs().max().item()
    assert difference < 1e-12, f"maximum difference {difference:.3g}"


@pytest.mark.parametrize(("rows", "columns", "radius"), [(1, 1, 0), (5, 7, 2), (5, 7, 9), (12, 3, 4)])
def test_the_pairs_of_a_window_are_those_of_the_mask(rows: int, columns: int, radius: int) -> None:
    assert window_pairs(rows, columns, f"2d:{radius}") == int(_seen(rows, columns, radius).sum())


@pytest.mark.parametrize("radius", [0, 1, 4, 8])
def test_a_radius_in_row_order_of_the_same_cost_sees_as_many_tokens(radius: int) -> None:
    of_a_square = _seen(2 * radius + 1, 2 * radius + 1, radius)
    middle = of_a_square[len(of_a_square) // 2]
    assert 2 * raster_radius(f"2d:{radius}") + 1 == int(middle.sum())
    assert raster_radius(64) == 64


def _loaded(window: int | str | None, **settings: Any) -> Any:
    return load_tokenizer(TOKENIZER, weights="random", dtype="float64", window=window, **settings)


def test_a_window_as_wide_as_the_grid_is_full_attention() -> None:
    image = torch.rand(1, 3, 40, 60, dtype=torch.float64)  # 5 rows of 8 tokens
    whole = _loaded(None).reconstruct(image)
    assert torch.equal(_loaded("2d:7").reconstruct(image), whole)
    assert not torch.equal(_loaded("2d:6").reconstruct(image), whole)


def test_a_tokenizer_sees_its_own_rows_in_encoder_and_decoder() -> None:
    """A changed patch changes the latent at most two blocks of radius 1 away, and the image four."""
    image = torch.rand(1, 3, 15 * 8, 15 * 8, dtype=torch.float64)
    changed = image.clone()
    changed[:, :, 7 * 8 : 8 * 8, 7 * 8 : 8 * 8] = 0
    tokenizer = _loaded("2d:1")
    latents = [tokenizer.encode(each) for each in (image, changed)]
    rows, columns = ((latents[0].values - latents[1].values)[0].abs().amax(-1) > 1e-12).nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 9, 5, 9)
    images = [tokenizer.decode(latent) for latent in latents]
    rows, columns = ((images[0] - images[1])[0].abs().amax(0) > 1e-12).nonzero().T // 8
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 11, 3, 11)


def test_kernels_and_folded_blocks_agree() -> None:
    image = torch.rand(2, 3, 150, 170, dtype=torch.float64)
    expected = _loaded("2d:2", preset="dense").reconstruct(image)
    for settings in ({}, {"folded": True}, {"attention": "bands", "chunk": 50}):
        torch.testing.assert_close(_loaded("2d:2", **settings).reconstruct(image), expected, atol=1e-11, rtol=0)


def test_a_plan_counts_the_pairs_within_the_window() -> None:
    plan, whole = plan_of(RunConfig(name=TOKENIZER, window="2d:2"), 256), plan_of(RunConfig(name=TOKENIZER), 256)
    work = vitok_flops(parse_variant(TOKENIZER), 256, 256, "2d:2")
    assert plan.encode_work == work.encoder
    assert whole.encode_work is not None
    assert work.encoder.attention * 32**4 == whole.encode_work.attention * window_pairs(32, 32, "2d:2")
    assert work.encoder.linear == whole.encode_work.linear


def test_the_command_and_the_file_name_say_the_window() -> None:
    config = RunConfig(name=TOKENIZER, window="2d:8")
    assert parse(command(Measurement(EVAL, (config,), {"resolution": 64}))).configs == (config,)
    assert config.suffix(Weights(source="released")) == "window=2d_8"
    assert config.settings.window == "2d:8"
    assert RunConfig(name=TOKENIZER, window="64") == RunConfig(name=TOKENIZER, window=64)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"window": "2d"}, "window (='2d') must be 0 or more tokens in row order, '2d:R' for R rows and columns"),
        ({"window": "2d:-1"}, "window (='2d:-1') must be"),
        ({"window": "3d:4"}, "window (='3d:4') must be"),
        ({"window": "2d:8", "attention": "flex"}, "'flex' is not for a window (=2d:8); take one of bands, mask"),
        ({"window": "2d:8", "attention": "sdpa"}, "'sdpa' is not for a window (=2d:8); take one of bands, mask"),
    ],
)
def test_a_window_that_is_none_is_refused_in_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        load_tokenizer(TOKENIZER, weights="random", **settings)
    assert sentence in str(refused.value)
