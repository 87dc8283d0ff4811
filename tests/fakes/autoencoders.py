"""Each class of diffusers' auto-encoders with a small configuration, kept as the hub keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLCosmos,
    AutoencoderKLFlux2,
    AutoencoderKLHunyuanImage,
    AutoencoderKLKVAE,
    AutoencoderKLLTXVideo,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
    AutoencoderRAE,
    AutoencoderTiny,
    VQModel,
)
from torch import Tensor, nn

from vitok_lib.tokenizers.load import load_tokenizer

NAME, COMMIT = "diffusers:someone/small/vae", "d" * 40
WEIGHT_FILE = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Small:
    """A class with a small configuration, its latent, and the side in pixels of its tiles."""

    model_class: Any
    options: dict[str, Any]
    stride: int
    channels: int
    tile: int


_STATISTICS = {"latents_mean": (0.5, -0.25, 0.0, 1.0), "latents_std": (2.0, 0.5, 1.0, 4.0)}
_KL = {
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 32,
}
_DC_SIDE = {
    "block_types": ("ResBlock", "ResBlock", "EfficientViTBlock"),
    "block_out_channels": (4, 8, 16),
    "layers_per_block": (0, 1, 1),
    "qkv_multiscales": ((), (), ()),
}
_DC = {
    **{f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in _DC_SIDE.items()},
    "latent_channels": 4,
    "attention_head_dim": 4,
    "decoder_norm_types": ("batch_norm", "batch_norm", "rms_norm"),
    "decoder_act_fns": ("relu", "relu", "silu"),
    "scaling_factor": 0.3,
}
_QWEN = {
    "base_dim": 8,
    "z_dim": 4,
    "dim_mult": [1, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [True],
    **_STATISTICS,
}
_WAN = {**_QWEN, "scale_factor_spatial": 2}
_WAN_OF_PATCHES = {
    **_QWEN,
    "dim_mult": [1, 1],
    "is_residual": True,
    "patch_size": 2,
    "in_channels": 12,
    "out_channels": 12,
    "scale_factor_spatial": 4,
}
_HUNYUAN = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (32, 32, 32),
    "layers_per_block": 1,
    "spatial_compression_ratio": 4,
    "sample_size": 32,
    "scaling_factor": 0.75,
}
_COSMOS = {
    "latent_channels": 4,
    "encoder_block_out_channels": (8, 8, 8),
    "decode_block_out_channels": (8, 8, 8),
    "attention_resolutions": (16,),
    "resolution": 32,
    "num_layers": 1,
    "patch_size": 2,
    "spatial_compression_ratio": 4,
    "temporal_compression_ratio": 4,
    "latents_mean": (0.5, 9, -0.25, 9, 0.0, 9, 1.0, 9),
    "latents_std": (2.0, 9, 0.5, 9, 1.0, 9, 4.0, 9),
}
_LTX = {
    "latent_channels": 4,
    "block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "layers_per_block": (1, 1, 1),
    "decoder_layers_per_block": (1, 1, 1),
    "spatio_temporal_scaling": (True, False),
    "decoder_spatio_temporal_scaling": (True, False),
    "patch_size": 2,
    "scaling_factor": 0.5,
}
_KVAE = {
    "channels": 32,
    "num_enc_blocks": 1,
    "num_dec_blocks": 1,
    "z_channels": 4,
    "ch_mult": (1, 1, 2),
    "sample_size": 32,
}
_RAE = {
    "encoder_hidden_size": 64,
    "encoder_num_hidden_layers": 1,
    "encoder_patch_size": 14,
    "encoder_input_size": 112,
    "decoder_hidden_size": 32,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 64,
    "patch_size": 4,
    "latents_mean": torch.linspace(-1, 1, 64 * 8 * 8).view(64, 8, 8).tolist(),
    "latents_std": torch.linspace(0.5, 2, 64 * 8 * 8).view(64, 8, 8).tolist(),
    "scaling_factor": 0.5,
}
_TINY = {
    "encoder_block_out_channels": (8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8),
    "num_encoder_blocks": (1, 1, 1),
    "num_decoder_blocks": (1, 1, 1),
    "scaling_factor": 0.5,
    "shift_factor": 0.25,
}
_VQ = {
    **_KL,
    "block_out_channels": (32, 32, 32),
    "norm_num_groups": 32,
    "num_vq_embeddings": 50,
    "vq_embed_dim": 4,
    "norm_type": "spatial",
    "scaling_factor": 0.25,
}
SMALL = {
    "kl": Small(AutoencoderKL, {**_KL, "scaling_factor": 0.25, "shift_factor": 0.125}, 4, 4, 32),
    "kl-by-channel": Small(AutoencoderKL, {**_KL, **_STATISTICS, "scaling_factor": 0.5}, 4, 4, 32),
    "flux2": Small(AutoencoderKLFlux2, _KL, 4, 4, 32),
    "qwen": Small(AutoencoderKLQwenImage, _QWEN, 2, 4, 256),
    "wan": Small(AutoencoderKLWan, _WAN, 2, 4, 256),
    "wan-of-patches": Small(AutoencoderKLWan, _WAN_OF_PATCHES, 4, 4, 512),
    "hunyuan": Small(AutoencoderKLHunyuanImage, _HUNYUAN, 4, 4, 32),
    "ltx": Small(AutoencoderKLLTXVideo, _LTX, 4, 4, 512),
    "cosmos": Small(AutoencoderKLCosmos, _COSMOS, 4, 4, 512),
    "kvae": Small(AutoencoderKLKVAE, _KVAE, 4, 4, 32),
    "rae": Small(AutoencoderRAE, _RAE, 4, 64, 512),
    "dc": Small(AutoencoderDC, _DC, 4, 4, 512),
    "tiny": Small(AutoencoderTiny, _TINY, 4, 4, 512),
    "vq": Small(VQModel, _VQ, 4, 4, 32),
}


WITH_POSTERIOR = ("kl", "flux2", "qwen", "wan", "wan-of-patches", "hunyuan", "ltx", "kvae")


def parametrised(*names: str) -> pytest.MarkDecorator:
    """The argument ``small`` of a test: the classes of these names."""
    return pytest.mark.parametrize("small", [SMALL[name] for name in names], ids=names)


every_class = parametrised(*WITH_POSTERIOR, "cosmos", "rae", "dc", "tiny", "vq")


def publish(small: Small, snapshot: Path, **options: Any) -> Any:
    """Keep a model with batch statistics and a posterior of its own as the hub does; returns what diffusers loads."""
    torch.manual_seed(1)
    model = small.model_class(**small.options)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.running_mean)
            module.running_var = torch.rand_like(module.running_var) + 0.5
    if isinstance(model, AutoencoderKLLTXVideo):
        model.latents_mean.normal_()
        model.latents_std.uniform_(0.5, 1.5)
    if isinstance(model, VQModel):
        model.quantize.embedding.weight.data.normal_()
    if hasattr(model, "quant_conv"):
        model.quant_conv.bias.data[small.channels :] -= 2  # a posterior of another width than 1
    model.save_pretrained(snapshot / "vae", **options)
    return small.model_class.from_pretrained(snapshot / "vae").eval()


def random_images(height: int, width: int, count: int = 1) -> Tensor:
    """``[count, 3, height, width]`` in [-1, 1]."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height)) * 2 - 1


def loaded(**options: Any) -> Any:
    """What this library makes of the repository that :func:`publish` kept."""
    return load_tokenizer(NAME, **options)
