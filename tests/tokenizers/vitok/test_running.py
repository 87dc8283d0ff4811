"""Every way to run a ViTok against the published maths in float64, on weights whose blocks and outliers weigh much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok import chunks
from vitok_lib.tokenizers.vitok.checkpoint import RANDOM_LAYER_SCALE, RANDOM_OUTLIER_GAIN, ViTok
from vitok_lib.tokenizers.vitok.chunks import evenly
from vitok_lib.tokenizers.vitok.folded import FoldedBlock

VARIANT = "w128_d2_h2-w128_d3_h2/8x16"
ROWS, COLUMNS = 9, 13
TOKENS = ROWS * COLUMNS  # 117: neither 50 nor 16 divides it


def _load(**settings: Any) -> ViTok:
    tokenizer = load_tokenizer(VARIANT, weights="random", **settings)
    assert isinstance(tokenizer, ViTok)
    return tokenizer


def _images(batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, 8 * ROWS, 8 * COLUMNS, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _error(settings: dict[str, Any], window: int | None) -> float:
    """The larger relative root mean square error of latent and image, over all tokens and over the last row of them."""
    exact, tried = _load(dtype="float64", window=window), _load(window=window, **settings)
    latents = [tokenizer.encode(_images()) for tokenizer in (exact, tried)]
    images = [exact.decode(latents[0]), tried.decode(latents[0])]
    pairs = [
        [latent.values for latent in latents],
        [latent.values[:, -1] for latent in latents],
        images,
        [image[:, :, -8:] for image in images],
    ]
    return max(float((found.double() - expected).norm() / expected.norm()) for expected, found in pairs)


@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        ({}, 2e-6),
        ({"chunk": 0}, 2e-6),
        ({"chunk": 50}, 2e-6),
        ({"folded": True}, 2e-6),
        ({"folded": True, "chunk": 16}, 2e-6),
        ({"dtype": "float64", "folded": True, "chunk": 50}, 1e-13),
        ({"dtype": "bfloat16"}, 2e-2),
        ({"dtype": "bfloat16", "folded": True, "chunk": 50}, 2e-2),
        ({"precision": "fp8"}, 6e-2),
        ({"dtype": "bfloat16", "precision": "fp8", "chunk": 50}, 6e-2),
    ],
    ids=str,
)
def test_every_way_to_run_gives_the_same_to_its_rounding(
    settings: dict[str, Any], tolerance: float, window: int | None
) -> None:
    error = _error(settings, window)
    assert error < tolerance, f"relative error {error:.3g}"


def test_compiled_ways_give_the_same_with_two_graphs_for_the_whole_folded_model() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    error = _error({"folded": True, "compile": "default", "chunk": TOKENS}, 20)
    assert error < 2e-6, f"relative error {error:.3g}"
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs == 2, "one for each region, for the blocks of both sides, whose widths are equal"


@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune"])
def test_blocks_compiled_into_cuda_graphs_take_no_input_that_the_next_replay_gives_up(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Tensor] = []  # by replays: torch refuses such a tensor from the next call of anything compiled on

    def compile_into_graphs(function: Callable[..., Tensor], **options: Any) -> Callable[..., Tensor]:
        assert options == {"mode": mode, "dynamic": False}

        def replayed(*inputs: Any) -> Tensor:
            if any(tensor is taken for tensor in given for taken in inputs):
                raise RuntimeError("Error: accessing tensor output of CUDAGraphs that has been overwritten")
            given.append(function(*inputs))
            return given[-1]

        return replayed

    monkeypatch.setattr(torch, "compile", compile_into_graphs)
    images = _images()
    found, expected = _load(compile=mode).reconstruct(images), _load().reconstruct(images)
    assert len(given) == 5
    torch.testing.assert_close(found, expected)


def test_the_error_would_show_if_a_block_did_nothing() -> None:
    tokenizer = _load(dtype="float64")
    before = tokenizer.reconstruct(_images())
    assert tokenizer.decoder is not None
    tokenizer.decoder.decoder_blocks[1] = _Nothing()
    difference = tokenizer.reconstruct(_images()) - before
    assert difference.norm() / before.norm() > 0.1


class _Nothing(torch.nn.Module):
    def forward(self, x: Tensor, rope: Tensor, window: int | None) -> Tensor:
        return x


def test_random_weights_are_the_same_in_every_dtype_and_have_outliers() -> None:
    exact, rounded = _load(dtype="float64"), _load(dtype="bfloat16")
    assert exact.encoder is not None
    assert rounded.encoder is not None
    for (name, ours), theirs in zip(
        exact.encoder.state_dict().items(), rounded.encoder.state_dict().values(), strict=True
    ):
        assert torch.equal(ours.bfloat16(), theirs), name
    gains = exact.encoder.encoder_blocks[0].norm1.weight
    assert set(gains.tolist()) == {1.0, RANDOM_OUTLIER_GAIN}
    assert set(exact.encoder.encoder_blocks[0].layer_scale.gamma.tolist()) == {RANDOM_LAYER_SCALE}


def test_an_outlier_token_costs_no_other_token_its_precision() -> None:
    block = _load(precision="fp8").encoder
    assert block is not None
    layer = block.encoder_blocks[0].fc1
    rows = torch.randn(2, 128, generator=torch.Generator().manual_seed(0))
    loud = rows.clone()
    loud[1] *= 1e4
    torch.testing.assert_close(layer(loud)[0], layer(rows)[0], atol=0, rtol=0)


def test_chunks_leave_the_folded_model_no_intermediate_of_the_whole_image() -> None:
    """The hidden values of the MLP are the largest; with chunks none of them is ever there for all tokens."""
    tokenizer = _load(folded=True, chunk=16)
    assert tokenizer.decoder is not None
    sizes: list[int] = []
    for block in tokenizer.decoder.decoder_blocks:
        assert isinstance(block, FoldedBlock)
        block.fc1.register_forward_hook(lambda module, inputs, out: sizes.append(out.shape[1]))
    tokenizer.decode(tokenizer.encode(_images(1)))
    assert max(sizes) <= 16
    assert sum(sizes) == 3 * TOKENS


@pytest.mark.parametrize(
    ("tokens", "batch", "chunk", "sizes"),
    [
        (117, 1, 50, [39, 39, 39]),
        (117, 2, 50, [23, 23, 24, 23, 24]),
        (100, 1, 100, [100]),
        (101, 1, 100, [50, 51]),
        (5, 8, 3, [1] * 5),
        (117, 4, 0, [117]),
    ],
)
def test_chunks_are_even_and_cover_every_token_once(tokens: int, batch: int, chunk: int, sizes: list[int]) -> None:
    slices = evenly(tokens, batch, chunk)
    assert [part.stop - part.start for part in slices] == sizes
    assert [index for part in slices for index in range(tokens)[part]] == list(range(tokens))


def test_the_automatic_chunk_is_that_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "TOKENS", 60)
    assert [part.stop - part.start for part in evenly(TOKENS, 1, None)] == [58, 59]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"precision": "fp4"}, "unknown precision 'fp4'"),
        ({"compile": "max"}, "unknown compile mode 'max'; did you mean max-autotune"),
        ({"chunk": -1}, r"chunk \(=-1\) must be 1 or more tokens"),
        ({"precision": "fp8", "folded": False}, "precision 'fp8' works on folded matrices; leave folded out"),
        ({"precision": "fp8", "dtype": "float64"}, "precision 'fp8' on cpu takes dtype bfloat16 or float32, not"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        _load(**settings)


def test_matrices_that_8_bit_kernels_do_not_take_are_refused() -> None:
    with pytest.raises(RequestError, match="sides are multiples of 16, and one is 72 × 24"):
        load_tokenizer("w24_d1_h2/8x6", weights="random", precision="fp8")


def test_a_setting_of_vitok_is_refused_elsewhere() -> None:
    with pytest.raises(RequestError, match="'pca-f16x64' is no ViTok: the setting precision does not apply to it"):
        load_tokenizer("pca-f16x64", precision="fp8")
    with pytest.raises(RequestError, match="'pca-f16x64' has no attention"):
        load_tokenizer("pca-f16x64", attention="math")


def test_what_was_chosen_automatically_is_told() -> None:
    choices = _load(precision="fp8", graphs=True).choices
    assert choices["folded"].startswith("yes: precision fp8")
    assert choices["graphs"] == "none: cpu launches no kernels"
    assert _load(compile="default").choices["chunk"].startswith("0: ")
    assert "chunk" not in _load(compile="default", folded=True).choices
