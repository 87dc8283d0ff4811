"""A tokenizer that takes images whole, and the same one that takes them in parts: in tiles, or in chunks of tokens.

Tiles are those of the setting ``tile``, of any tokenizer with a latent grid, or diffusers' own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.measure.studies.seams import borders, colour_step, joints, layout, seam_error, tile_layout
from vitok_lib.metrics.pixel import psnr, to_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, find
from vitok_lib.tokenizers.tiles import Span, Tiled
from vitok_lib.tokenizers.vitok.variant import parse_variant

CHUNK = 256
"""Tokens at a time that a ViTok's chunks have where none are asked for: few, so that an image has many."""

Result = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A tokenizer that takes images ``whole`` and the same one that takes them in ``parts``.

    ``cuts`` tells whether an image of that height and width has more than one part; ``compare`` gives the values of an
    original ``[3, H, W]`` in 8 bits and of its two reconstructions in [-1, 1].
    """

    whole: Tokenizer
    parts: Tokenizer
    cuts: Callable[[int, int], bool]
    compare: Callable[[Tensor, Tensor, Tensor], Result]


def in_parts(config: RunConfig) -> RunConfig:
    """``config`` with the chunk that is compared; RequestError if it works neither in tiles nor in chunks."""
    family = find(config.name).family
    if config.tile is not None:
        return config
    if family == "vitok":
        return config.replace(chunk=config.chunk or CHUNK)
    if family not in CONVOLUTIONAL:
        raise RequestError(
            f"tokenizer '{config.name}' works neither in tiles nor in chunks; take a ViTok or an auto-encoder"
        )
    if config.tiling:
        raise RequestError("tiling compares with and without tiles; leave the option 'tiling' out")
    return config


def halves(config: RunConfig) -> tuple[RunConfig, RunConfig]:
    """The configurations that take images whole and in parts, of one from :func:`in_parts`."""
    if config.tile is not None:
        return config.replace(tile=None), config
    return (config, config.replace(tiling=True)) if config.chunk is None else (config.replace(chunk=0), config)


def load_pair(config: RunConfig) -> Pair:
    """The pair of a configuration from :func:`in_parts`."""
    if config.tile is not None:
        return _tiles(config)
    return _autoencoder(config) if config.chunk is None else _vitok(config)


def _tiles(config: RunConfig) -> Pair:
    whole, parts = (load(half) for half in halves(config))
    assert isinstance(parts, Tiled)
    return Pair(
        whole,
        parts,
        lambda height, width: len(parts.spans(height)) > 1 or len(parts.spans(width)) > 1,
        partial(_compared, parts.spans, parts.spans),
    )


def _vitok(config: RunConfig) -> Pair:
    whole, parts = (load(half) for half in halves(config))
    chunk, variant = config.chunk, parse_variant(find(config.name).architecture)
    assert chunk is not None

    def compare(original: Tensor, whole: Tensor, parts: Tensor) -> Result:
        return {"chunked_difference": float((parts.double() - whole.double()).abs().max()) / 2}

    return Pair(whole, parts, lambda height, width: variant.tokens(height, width) > chunk, compare)


def _autoencoder(config: RunConfig) -> Pair:
    whole: Any = load(config)
    parts = whole.tiled()
    down, across = tile_layout(parts.model)
    return Pair(
        whole,
        parts,
        lambda height, width: height > down[0] or width > across[0],
        partial(_compared, lambda size: layout(size, *down), lambda size: layout(size, *across)),
    )


def _compared(
    down: Callable[[int], list[Span]],
    across: Callable[[int], list[Span]],
    original: Tensor,
    whole: Tensor,
    parts: Tensor,
) -> Result:
    """PSNR of either and of one against the other, and what is seen where the tiles ``down`` and ``across`` meet."""
    untiled, tiled = to_uint8(whole), to_uint8(parts)
    height, width = original.shape[1:]
    rows, columns = down(height), across(width)
    places = joints(rows, height), joints(columns, width)
    psnrs = {"untiled_psnr": psnr(original, untiled), "tiled_psnr": psnr(original, tiled)}
    return {
        **psnrs,
        "tiling_change": psnrs["tiled_psnr"] - psnrs["untiled_psnr"],
        "tiled_agreement": psnr(untiled, tiled),
        "seam_error": seam_error(untiled, tiled, borders(rows, height), borders(columns, width)),
        "tiled_step": colour_step(original, tiled, *places),
        "untiled_step": colour_step(original, untiled, *places),
        "max_difference": float((tiled.to(torch.int16) - untiled.to(torch.int16)).abs().max()),
    }
