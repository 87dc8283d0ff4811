"""The variant grammar of ViTok-v2 and the arithmetic that follows from a variant alone.

A variant string is ``<encoder>-<decoder>/<t>x<p>x<c>`` (or one side for both, or ``<p>x<c>``): temporal
stride t, patch size p in pixels, c latent channels a token. A side is a base letter with modifiers
(``Td4``: base T cut to depth 4) or written out (``w256_d2_h4``). Nothing here needs torch, so a model of
any size can be described and counted without allocating it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from vitok_lib.errors import RequestError
from vitok_lib.records.config import block_counts

DEFAULT_MLP_FACTOR = 2.67
IMAGE_CHANNELS = 3
DEFAULT_CHUNK = {"cpu": 16384, "cuda": 65536}
"""Tokens that go through a block's matrices at a time, by device.

16384 are all of an image of 2048 px at patch 16; 65536 fill a GPU and keep the widest intermediate of the 5B model
below 2³¹ values.
"""


@dataclass(frozen=True)
class Side:
    """Width, depth and heads of the encoder's or the decoder's transformer."""

    width: int
    depth: int
    heads: int

    @property
    def head_dim(self) -> int:
        return self.width // self.heads


BASES = {
    "B": Side(width=768, depth=12, heads=12),
    "L": Side(width=1024, depth=24, heads=16),
    "G": Side(width=1728, depth=32, heads=24),
    "T": Side(width=3072, depth=40, heads=24),
    "E": Side(width=4096, depth=48, heads=32),
}

_EXAMPLE = "a variant reads like 'Td4-T/1x16x64' or 'w256_d2_h4-w256_d6_h4/16x64'"
_MODIFIER = re.compile(r"([wdhm])(\d+(?:\.\d+)?)")
_CODE = re.compile(r"(?:(\d+)x)?(\d+)x(\d+)")


@dataclass(frozen=True)
class Variant:
    """One ViTok architecture.

    ``text`` is the string it was read from; ``patch`` is in pixels; ``channels`` counts the latent values
    of one token; ``mlp_factor`` holds for both sides.
    """

    text: str
    encoder: Side
    decoder: Side
    patch: int
    channels: int
    mlp_factor: float = DEFAULT_MLP_FACTOR

    @property
    def patch_values(self) -> int:
        """Pixel values in one patch."""
        return IMAGE_CHANNELS * self.patch**2

    @property
    def compression_ratio(self) -> float:
        """Pixel values for each latent value."""
        return self.patch_values / self.channels

    def hidden(self, side: Side) -> int:
        """Hidden width of the SwiGLU MLP: 16·⌊(⌊width·factor⌋ + 8)/16⌋."""
        return 16 * ((int(side.width * self.mlp_factor) + 8) // 16)

    def tokens(self, height: int, width: int) -> int:
        """Tokens of an image of ``height`` × ``width`` pixels."""
        return -(-height // self.patch) * -(-width // self.patch)

    def block_parameters(self, side: Side) -> int:
        """Parameters of one block: four attention matrices, three of the MLP, norms and layer scale."""
        matrices = 4 * side.width**2 + 3 * side.width * self.hidden(side)
        return matrices + 2 * side.width + 2 * side.head_dim

    def encoder_parameters(self) -> int:
        width = self.encoder.width
        ends = (self.patch_values + 1) * width + (width + 1) * self.channels
        return ends + self.encoder.depth * self.block_parameters(self.encoder)

    def decoder_parameters(self) -> int:
        width = self.decoder.width
        ends = (self.channels + 1) * width + (width + 1) * self.patch_values
        return ends + self.decoder.depth * self.block_parameters(self.decoder)

    @property
    def parameters(self) -> int:
        return self.encoder_parameters() + self.decoder_parameters()

    def truncated(self, blocks: str | None) -> Variant:
        """This architecture with only the first ``blocks`` of encoder and decoder, such as ``2/3``; None: with all.

        Raises:
            RequestError: ``blocks`` is no such text, or there are not as many.
        """
        if blocks is None:
            return self
        counts = block_counts(blocks)
        for name, side, kept in zip(("encoder", "decoder"), (self.encoder, self.decoder), counts, strict=True):
            if kept > side.depth:
                raise RequestError(
                    f"blocks (={blocks!r}) keeps {kept} of the {name}, and '{self.text}' has {side.depth}; "
                    f"take at most '{self.encoder.depth}/{self.decoder.depth}'"
                )
        encoder, decoder = (
            replace(side, depth=kept) for side, kept in zip((self.encoder, self.decoder), counts, strict=True)
        )
        return replace(self, encoder=encoder, decoder=decoder)


def looks_like_variant(text: str) -> bool:
    """Whether ``text`` is meant as a variant string rather than a registry name or a path."""
    head, slash, code = text.rpartition("/")
    return bool(slash) and "/" not in head and _CODE.fullmatch(code) is not None


def parse_variant(text: str) -> Variant:
    """Read a variant string.

    Raises:
        RequestError: the string does not follow the grammar, or names sizes that cannot be built.
    """
    sides, slash, code = text.partition("/")
    match = _CODE.fullmatch(code)
    if not slash or match is None:
        raise RequestError(f"variant '{text}' has no '/<patch>x<channels>' at its end; {_EXAMPLE}")
    temporal, patch, channels = (int(part) if part else 1 for part in match.groups())
    if temporal != 1:
        raise RequestError(f"variant '{text}' has temporal stride {temporal}; images need stride 1")
    if patch < 1 or channels < 1:
        raise RequestError(f"variant '{text}' has patch {patch} and {channels} channels; both must be at least 1")
    encoder_text, dash, decoder_text = sides.partition("-")
    encoder, encoder_factor = _parse_side(encoder_text, text)
    decoder, decoder_factor = _parse_side(decoder_text, text) if dash else (encoder, encoder_factor)
    variant = Variant(text, encoder, decoder, patch, channels, max(encoder_factor, decoder_factor))
    if min(variant.hidden(encoder), variant.hidden(decoder)) < 1:
        raise RequestError(f"variant '{text}' has MLP factor {variant.mlp_factor:g}, which leaves no hidden width")
    return variant


def _parse_side(side_text: str, text: str) -> tuple[Side, float]:
    base = BASES.get(side_text[:1])
    modifiers = side_text[1:] if base else side_text.replace("_", "")
    found = _MODIFIER.findall(modifiers)
    if "".join(letter + number for letter, number in found) != modifiers:
        raise RequestError(
            f"side '{side_text}' of variant '{text}' cannot be read; bases are {', '.join(BASES)} "
            f"and modifiers w, d, h, m with a number; {_EXAMPLE}"
        )
    numbers = dict(found)
    if len(numbers) != len(found):
        raise RequestError(f"side '{side_text}' of variant '{text}' gives a modifier twice")
    factor = float(numbers.pop("m", DEFAULT_MLP_FACTOR))
    if not all(number.isdigit() for number in numbers.values()):
        raise RequestError(f"side '{side_text}' of variant '{text}': w, d and h take whole numbers")
    fields = {"w": "width", "d": "depth", "h": "heads"}
    sizes = {fields[letter]: int(number) for letter, number in numbers.items()}
    if base is None and len(sizes) < len(fields):
        raise RequestError(f"side '{side_text}' of variant '{text}' needs all of w, d and h; {_EXAMPLE}")
    side = replace(base, **sizes) if base else Side(**sizes)
    if min(side.width, side.depth, side.heads) < 1 or side.width % side.heads or side.head_dim % 4:
        raise RequestError(
            f"side '{side_text}' of variant '{text}': width (={side.width}) must be heads (={side.heads}) "
            f"times a multiple of 4, and depth (={side.depth}) at least 1"
        )
    return side, factor
