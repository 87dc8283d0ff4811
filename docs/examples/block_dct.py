"""A tokenizer of your own: the lowest frequencies of each 8 × 8 block, by a discrete cosine transform.

Check it, and measure it beside others, with this folder on PYTHONPATH:

    vitok conform block_dct:make_tokenizer
    vitok eval block_dct:make_tokenizer jpeg:bpp=3 --images photos --resolution 512
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

BLOCK = 8
KEPT = 2  # frequencies a direction


class BlockDCT:
    def __init__(self, device: str, dtype: str) -> None:
        self.spec = TokenizerSpec(
            name="block-dct", family="dct", downsampling=BLOCK, latent_channels=3 * KEPT**2, source="an example"
        )
        self.weights = Weights(source="none")  # nothing is learned
        self.settings = Settings(device=device, dtype=dtype)
        position, frequency = torch.arange(BLOCK) + 0.5, torch.arange(KEPT)[:, None]
        cosines = torch.cos(math.pi / BLOCK * position * frequency) * math.sqrt(2 / BLOCK)
        cosines[0] /= math.sqrt(2)
        self._basis = cosines.to(device, getattr(torch, dtype))  # [KEPT, BLOCK], orthonormal rows

    def encode(self, images: Tensor) -> Latent:
        height, width = images.shape[2:]
        padded = F.pad(images.to(self._basis), (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
        blocks = padded.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK))  # [B, 3, rows, BLOCK, columns, BLOCK]
        values = torch.einsum("bcriks,ui,vs->brkcuv", blocks, self._basis, self._basis)
        return Latent(values.flatten(3), height, width)

    def decode(self, latent: Latent) -> Tensor:
        values = latent.values.unflatten(3, (3, KEPT, KEPT))
        blocks = torch.einsum("brkcuv,ui,vs->bcriks", values, self._basis, self._basis)
        return blocks.flatten(4).flatten(2, 3)[:, :, : latent.height, : latent.width]

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


def make_tokenizer(device: str = "cpu", dtype: str = "float32") -> BlockDCT:
    return BlockDCT(device, dtype)
