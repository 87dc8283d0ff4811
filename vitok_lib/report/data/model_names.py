"""How sentences name a released model and a GPU."""

from __future__ import annotations

from vitok_lib.report.data.measuring_gpus import known_gpu
from vitok_lib.tokenizers.registry import find


def model_name(tokenizer: str) -> str:
    """ "ViTok-v2 5B-f16x64", "FLUX.1's VAE"; another tokenizer keeps its own name."""
    known = find(tokenizer)
    if known.family == "vitok":
        return f"ViTok-v2 {tokenizer}"
    return f"{known.source.partition(',')[0]}'s VAE" if known.family == "kl" else tokenizer


def gpu_name(device: str) -> str:
    """ "NVIDIA H100" of "NVIDIA H100 80GB HBM3"; a GPU without a data sheet here keeps its name."""
    known = known_gpu(device)
    return f"NVIDIA {known.name}" if known else device
