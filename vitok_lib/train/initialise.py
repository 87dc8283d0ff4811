"""Start a ViTok at the principal components, so that training begins near the PCA baseline.

The latent is normalised over its channels, which would lose each patch's contrast. Two channels are
therefore given a large constant, ±ANCHOR: the rest keep their proportion to it, and the decoder reads mean
and scale back from the two.
"""

from __future__ import annotations

import torch

from vitok_lib.tokenizers.vitok.model import Decoder, Encoder
from vitok_lib.train.pca import Components

ANCHOR = 24.0
LAYER_SCALE = 0.1


@torch.no_grad()
def start_at_components(encoder: Encoder, decoder: Decoder, components: Components) -> None:
    """Set the linear ends to the leading components and open the blocks' layer scale."""
    variant = encoder.variant
    kept = variant.channels - 2
    _embed_patches(encoder, components)
    code = encoder.to_code
    code.weight.normal_(0, 0.002)
    code.bias.zero_()
    code.weight[:kept] = torch.eye(kept, variant.encoder.width)
    code.weight[kept:] = 0
    code.bias[kept], code.bias[kept + 1] = ANCHOR, -ANCHOR

    spread = (2 * ANCHOR**2 / variant.channels + kept / variant.channels) ** 0.5
    embed = decoder.decoder_embed
    embed.weight.zero_()
    embed.bias.zero_()
    embed.weight[:kept, :kept] = torch.eye(kept) * spread
    embed.weight[:kept, kept:] = -spread / 2

    width = variant.decoder.width
    decoder.to_pixels.weight.copy_(components.basis[:, :width] * components.deviation[:width])
    decoder.to_pixels.weight[:, kept:] *= 0.3
    decoder.to_pixels.bias.copy_(components.mean)
    for block in [*encoder.encoder_blocks, *decoder.decoder_blocks]:
        block.layer_scale.gamma.fill_(LAYER_SCALE)
        block.attn.out_proj.weight.zero_()
        block.ffn.fc2.weight.zero_()


def _embed_patches(encoder: Encoder, components: Components) -> None:
    """patch_embed gives the components, each with unit variance."""
    width = encoder.variant.encoder.width
    weight = components.basis[:, :width].T / components.deviation[:width, None]
    encoder.patch_embed.weight.copy_(weight)
    encoder.patch_embed.bias.copy_(-weight @ components.mean)
