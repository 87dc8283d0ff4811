"""Blocks of FlexAttention, of every size: they are those of the dense mask, and attention over them the window's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from vitok_lib.errors import UnsupportedError
from vitok_lib.tokenizers.vitok import flex as module
from vitok_lib.tokenizers.vitok.attention import WINDOW_KERNELS, attention
from vitok_lib.tokenizers.vitok.flex import VARIANTS, Blocks, window_blocks

SIZES = sorted({(blocks.queries, blocks.keys) for blocks in VARIANTS.values()})
CPU = torch.device("cpu")


def _seen(tokens: int, window: int) -> Tensor:
    places = torch.arange(tokens)
    return (places[:, None] - places).abs() <= window


def _listed(count: Tensor | None, indices: Tensor | None, row: int) -> list[int]:
    assert count is not None
    assert indices is not None
    return sorted(indices[0, 0, row, : int(count[0, 0, row])].tolist())


@pytest.mark.parametrize("size", [*SIZES, (64, 128)])
@pytest.mark.parametrize(
    ("tokens", "window"),
    [(1000, 100), (1024, 128), (1024, 127), (1024, 300), (700, 0), (1300, 255), (1281, 256), (300, 298), (1100, 64)],
)
def test_the_blocks_of_a_window_are_those_that_torch_finds_in_the_dense_mask(
    size: tuple[int, int], tokens: int, window: int
) -> None:
    def within(batch: Tensor, head: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return (row - column).abs() <= window

    found = window_blocks(tokens, window, CPU, *size)
    expected = create_block_mask(within, None, None, tokens, tokens, device="cpu", BLOCK_SIZE=size)
    assert found.BLOCK_SIZE == expected.BLOCK_SIZE == size
    for counts, indices in (("kv_num_blocks", "kv_indices"), ("full_kv_num_blocks", "full_kv_indices")):
        for row in range(-(-tokens // size[0])):
            ours, theirs = (_listed(getattr(each, counts), getattr(each, indices), row) for each in (found, expected))
            assert ours == theirs


def _over_blocks(query: Tensor, key: Tensor, value: Tensor, window: int, blocks: BlockMask) -> Tensor:
    """Attention in float64 that computes listed blocks alone, and asks for the mask in partial ones alone."""
    tokens, (queries, keys) = query.shape[2], blocks.BLOCK_SIZE
    scores = torch.full((*query.shape[:3], tokens), -torch.inf, dtype=torch.float64)
    for row in range(-(-tokens // queries)):
        down = slice(row * queries, (row + 1) * queries)
        for column in _listed(blocks.full_kv_num_blocks, blocks.full_kv_indices, row):
            right = slice(column * keys, (column + 1) * keys)
            scores[:, :, down, right] = query[:, :, down] @ key[:, :, right].mT
        for column in _listed(blocks.kv_num_blocks, blocks.kv_indices, row):
            right = slice(column * keys, (column + 1) * keys)
            outside = ~_seen(tokens, window)[down, right]
            scores[:, :, down, right] = (query[:, :, down] @ key[:, :, right].mT).masked_fill(outside, -torch.inf)
    seen: Tensor = (scores / query.shape[3] ** 0.5).softmax(-1) @ value
    return seen


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("tokens", "window"), [(700, 200), (640, 64), (300, 298)])
def test_attention_over_the_listed_blocks_alone_is_that_of_the_window(
    size: tuple[int, int], tokens: int, window: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 2, tokens, 8, generator=generator, dtype=torch.float64) for _ in range(3))
    found = _over_blocks(query, key, value, window, window_blocks(tokens, window, CPU, *size))
    scores = (query @ key.mT / 8**0.5).masked_fill(~_seen(tokens, window), -torch.inf)
    torch.testing.assert_close(found, scores.softmax(-1) @ value, atol=1e-12, rtol=0)


def test_a_gpu_keeps_of_each_row_as_many_blocks_as_the_window_is_wide() -> None:
    """At 8192 px blocks of 64 × 64: 4096 rows of 4096 blocks would be 64 MiB, twice."""
    meta = window_blocks(262_144, 64, torch.device("meta"), 64, 64)
    assert meta.full_kv_indices is not None
    assert meta.kv_indices.shape == meta.full_kv_indices.shape == (1, 1, 4096, 4)


@pytest.mark.parametrize("name", VARIANTS)
def test_tiles_of_a_kernel_divide_its_blocks(name: str) -> None:
    blocks = VARIANTS[name]
    for side, tile in ((blocks.queries, "BLOCK_M"), (blocks.keys, "BLOCK_N")):
        given = blocks.options.get(tile)
        assert side == 128 if given is None else side % given == 0, "torch chooses tiles that divide 128 alone"


@pytest.mark.parametrize("name", VARIANTS)
def test_flex_refuses_what_its_32_bits_do_not_count(name: str) -> None:
    query = torch.empty(1, 24, 1024**2, 128, dtype=torch.bfloat16, device="meta")
    with pytest.raises(
        UnsupportedError, match=f"'{name}' counts in 32 bits, and keys of 3,221,225,472 values go beyond"
    ):
        attention(query, query, query, 1024, windowed=name)


@pytest.mark.parametrize("name", VARIANTS)
def test_keys_and_values_reach_the_kernel_in_memory_of_their_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a packed tensor would have strides of three times the width, which 32 bits count less far."""
    given: list[tuple[int, ...]] = []

    def kernel(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, options: dict[str, int | bool]) -> Tensor:
        given.extend([key.stride(), value.stride()])
        assert Blocks(*mask.BLOCK_SIZE, options) == VARIANTS[name]
        return query

    monkeypatch.setattr(module, "_compiled", lambda asked: kernel)
    packed = torch.zeros(1, 300, 3, 2, 16).unbind(2)
    WINDOW_KERNELS[name](*(part.transpose(1, 2) for part in packed), 100)
    assert given == [(300 * 32, 16, 32, 1)] * 2


@pytest.mark.parametrize(
    ("capability", "size", "runs"), [((8, 0), 128, False), ((9, 0), 20, False), ((9, 0), 64, True)]
)
def test_a_gpu_that_would_load_tiles_in_another_way_is_refused(
    capability: tuple[int, int], size: int, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    query = torch.empty(1, 2, 64, size, dtype=torch.bfloat16)
    if runs:
        module._check_tma("flex-128x64-tma", query)
        return
    with pytest.raises(UnsupportedError, match=r"'flex-128x64-tma' needs a GPU of compute capability 9\.0 and heads"):
        module._check_tma("flex-128x64-tma", query)


def test_each_variant_is_a_function_of_its_own_for_the_compiler() -> None:
    codes = {module._own(name).__code__ for name in VARIANTS}
    assert len(codes) == len(VARIANTS), "torch counts the versions of a function by its code"
