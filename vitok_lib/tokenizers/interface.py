"""What every tokenizer offers: a spec, and encode, decode, reconstruct over images in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vitok_lib.records.schema import Settings, TokenizerIdentity, Weights

if TYPE_CHECKING:
    from torch import Tensor


LATENT_VALUE_BITS = 16


@dataclass(frozen=True)
class TokenizerSpec:
    """What is known of a tokenizer before its weights are loaded.

    ``downsampling`` in pixels a side of the latent grid; ``compression_ratio`` in pixel values for each latent
    value; ``source`` says in a few words where the tokenizer comes from. Sizes are None where there is no grid of
    latent values (a codec) or where only the weights tell them.
    """

    name: str
    family: str
    downsampling: int | None
    latent_channels: int | None
    source: str
    parameters: int | None = None
    variant: str | None = None
    repository: str | None = None

    @property
    def compression_ratio(self) -> float | None:
        if self.downsampling is None or self.latent_channels is None:
            return None
        return 3 * self.downsampling**2 / self.latent_channels

    def identity(self, weights: Weights) -> TokenizerIdentity:
        """The spec as a record keeps it."""
        return TokenizerIdentity(
            name=self.name,
            family=self.family,
            variant=self.variant,
            downsampling=self.downsampling,
            latent_channels=self.latent_channels,
            parameters=self.parameters,
            compression_ratio=self.compression_ratio,
            weights=weights,
        )


@dataclass(frozen=True)
class Latent:
    """``values`` ``[B, rows, columns, channels]``; ``height`` and ``width`` of the images in pixels."""

    values: Tensor
    height: int
    width: int

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits that the latent of each image takes: its values as 16-bit floats, with no entropy coding."""
        return (self.values[0].numel() * LATENT_VALUE_BITS,) * len(self.values)


@dataclass(frozen=True)
class DiscreteLatent(Latent):
    """``values`` are vectors of a codebook, each stored as an index of ``index_bits`` bits."""

    index_bits: int

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits of the indices of each image, with no entropy coding."""
        return (self.values[0, ..., 0].numel() * self.index_bits,) * len(self.values)


@runtime_checkable
class Tokenizer(Protocol):
    """Anything that encodes images to a latent and decodes them back."""

    spec: TokenizerSpec
    weights: Weights
    settings: Settings

    def encode(self, images: Tensor) -> Latent:
        """``[B, 3, H, W]`` in [-1, 1], any H and W, to a latent."""
        ...

    def decode(self, latent: Latent) -> Tensor:
        """A latent back to ``[B, 3, H, W]``, not clamped."""
        ...

    def reconstruct(self, images: Tensor) -> Tensor:
        """Decode what encode gives."""
        ...


def choices_of(tokenizer: Tokenizer) -> dict[str, str]:
    """What a tokenizer chose itself and why, by setting, such as the kernel of attention; it may grow as it runs."""
    choices: dict[str, str] = getattr(tokenizer, "choices", {})
    return choices
