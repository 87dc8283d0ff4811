"""A ViTok cut to its first blocks, against models of that depth that are built by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from vitok_lib.cost.flops import vitok_flops
from vitok_lib.errors import RequestError
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok.checkpoint import ViTok
from vitok_lib.tokenizers.vitok.model import EPSILON, patchify, unpatchify
from vitok_lib.tokenizers.vitok.variant import parse_variant

WHOLE = "w32_d2_h2-w16_d3_h2/8x6"
IMAGE = torch.linspace(-1, 1, 3 * 24 * 32).reshape(1, 3, 24, 32)


def _loaded(**settings: object) -> ViTok:
    tokenizer = load_tokenizer(WHOLE, **{"weights": "random", "seed": 3} | settings)  # type: ignore[arg-type]
    assert isinstance(tokenizer, ViTok)
    return tokenizer


def _states(tokenizer: ViTok) -> dict[str, dict[str, Tensor]]:
    assert tokenizer.encoder is not None
    assert tokenizer.decoder is not None
    return {"encoder": tokenizer.encoder.state_dict(), "decoder": tokenizer.decoder.state_dict()}


def _save(folder: Path, states: dict[str, dict[str, Tensor]]) -> Path:
    folder.mkdir()
    for side, state in states.items():
        save_file(state, folder / f"{side}.safetensors")
    return folder


def _first(state: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """The tensors that a model with ``count`` blocks has."""
    return {key: tensor for key, tensor in state.items() if "_blocks." not in key or int(key.split(".")[1]) < count}


@pytest.mark.parametrize("settings", [{}, {"folded": True}, {"dtype": "bfloat16"}], ids=str)
def test_all_blocks_are_the_whole_model_bit_for_bit(settings: dict[str, object]) -> None:
    assert torch.equal(_loaded(blocks="2/3", **settings).reconstruct(IMAGE), _loaded(**settings).reconstruct(IMAGE))


@pytest.mark.parametrize("source", ["random", "folder", "file"])
def test_the_first_blocks_are_a_model_of_that_depth(source: str, tmp_path: Path) -> None:
    states = _states(_loaded())
    weights: str | Path = "random"
    if source == "folder":
        weights = _save(tmp_path / "whole", states)
    elif source == "file":
        weights = tmp_path / "whole.safetensors"
        save_file(states["encoder"] | states["decoder"], weights)
    cut = {"encoder": _first(states["encoder"], 1), "decoder": _first(states["decoder"], 2)}
    by_hand = load_tokenizer("w32_d1_h2-w16_d2_h2/8x6", weights=_save(tmp_path / "cut", cut))
    found = _loaded(weights=weights, blocks="1/2")
    assert torch.equal(found.reconstruct(IMAGE), by_hand.reconstruct(IMAGE))
    assert found.spec.parameters == by_hand.spec.parameters
    assert found.settings.blocks == "1/2"


def test_without_blocks_only_the_linear_ends_are_left() -> None:
    found = _loaded(blocks="0/0", dtype="float64")
    encoder, decoder = _states(found).values()
    tokens, rows, columns = patchify(IMAGE.double(), 8)
    code = F.linear(tokens, encoder["patch_embed.weight"], encoder["patch_embed.bias"])
    code = F.layer_norm(F.linear(code, encoder["to_code.weight"], encoder["to_code.bias"]), (6,), eps=EPSILON)
    pixels = F.linear(code, decoder["decoder_embed.weight"], decoder["decoder_embed.bias"])
    pixels = F.linear(pixels, decoder["to_pixels.weight"], decoder["to_pixels.bias"])
    torch.testing.assert_close(found.reconstruct(IMAGE), unpatchify(pixels, rows, columns, 8), atol=1e-12, rtol=0)


def test_one_side_alone_is_cut_as_well() -> None:
    found = _loaded(part="decoder", blocks="1/1")
    assert found.decoder is not None
    assert len(found.decoder.decoder_blocks) == 1


@pytest.mark.parametrize(
    ("name", "blocks", "sentence"),
    [
        (WHOLE, "3/3", "keeps 3 of the encoder, and 'w32_d2_h2-w16_d3_h2/8x6' has 2; take at most '2/3'"),
        (WHOLE, "2/4", "keeps 4 of the decoder, and 'w32_d2_h2-w16_d3_h2/8x6' has 3; take at most '2/3'"),
        (WHOLE, "two", "blocks (='two') must be those to keep of the encoder and of the decoder, such as '2/3'"),
        ("pca-f16x64", "1/1", "'pca-f16x64' is no ViTok: the setting blocks does not apply to it"),
        ("jpeg:q=75", "1/1", "'jpeg:q=75' is no ViTok: the setting blocks does not apply to it"),
    ],
)
def test_blocks_that_are_not_there_are_named(name: str, blocks: str, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        load_tokenizer(name, blocks=blocks)
    assert sentence in str(refused.value)


def test_a_plan_counts_the_blocks_that_are_kept() -> None:
    plan = plan_of(RunConfig(name=WHOLE, blocks="1/2"), 64)
    shallow = parse_variant("w32_d1_h2-w16_d2_h2/8x6")
    work = vitok_flops(shallow, 64, 64)
    assert (plan.encode_work, plan.decode_work) == (work.encoder, work.decoder)
    assert plan.parameters == shallow.parameters
    assert plan.weight_bytes == 4 * shallow.parameters
