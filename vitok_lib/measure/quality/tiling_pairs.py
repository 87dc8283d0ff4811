"""A tokenizer that takes images whole, and the same one that takes them in parts: in tiles, or in chunks of tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.measure.quality.seams import borders, seam_error, tile_layout
from vitok_lib.metrics.pixel import psnr, to_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, find
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
    if family == "vitok":
        return config.replace(chunk=config.chunk or CHUNK)
    if family not in CONVOLUTIONAL:
        raise RequestError(
            f"tokenizer '{config.name}' works neither in tiles nor in chunks; take a ViTok or an auto-encoder"
        )
    if config.tiling:
        raise RequestError("tiling compares with and without tiles; leave the option 'tiling' out")
    return config


def load_pair(config: RunConfig) -> Pair:
    """The pair of a configuration from :func:`in_parts`."""
    return _autoencoder(config) if config.chunk is None else _vitok(config, config.chunk)


def _vitok(config: RunConfig, chunk: int) -> Pair:
    whole, parts = (load(config.replace(chunk=size)) for size in (0, chunk))
    variant = parse_variant(find(config.name).architecture)

    def compare(original: Tensor, whole: Tensor, parts: Tensor) -> Result:
        return {"chunked_difference": float((parts.double() - whole.double()).abs().max()) / 2}

    return Pair(whole, parts, lambda height, width: variant.tokens(height, width) > chunk, compare)


def _autoencoder(config: RunConfig) -> Pair:
    whole: Any = load(config)
    parts = whole.tiled()
    layout = tile_layout(parts.model)

    def compare(original: Tensor, whole: Tensor, parts: Tensor) -> Result:
        untiled, tiled = to_uint8(whole), to_uint8(parts)
        rows, columns = (borders(size, *tile) for size, tile in zip(original.shape[1:], layout, strict=True))
        return {
            "untiled_psnr": psnr(original, untiled),
            "tiled_psnr": psnr(original, tiled),
            "tiled_agreement": psnr(untiled, tiled),
            "seam_error": seam_error(untiled, tiled, rows, columns),
            "max_difference": float((tiled.to(torch.int16) - untiled.to(torch.int16)).abs().max()),
        }

    return Pair(whole, parts, lambda height, width: height > layout[0][0] or width > layout[1][0], compare)
