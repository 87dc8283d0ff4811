"""The licence of released weights, where a model card or a licence file was read; no other is named anywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """``name`` as what was read states it; ``address`` of that text at its commit where one is known."""

    name: str
    address: str


LICENCES = {
    "black-forest-labs/FLUX.1-dev": Licence(
        "non-commercial",
        "https://github.com/black-forest-labs/flux/blob/0d2ef5859386b4478a1a815ee6e40a464241e0eb/model_cards/FLUX.1-dev.md",
    ),
    "black-forest-labs/FLUX.2-dev": Licence(
        "Apache-2.0 (VAE alone)",
        "https://github.com/black-forest-labs/flux2/blob/f72e0dc36402d814546ed8f1331598bcc3d38735/README.md",
    ),
    "stabilityai/sd-vae-ft-mse": Licence("MIT", "https://huggingface.co/stabilityai/sd-vae-ft-mse/blob/main/README.md"),
    "madebyollin/sdxl-vae-fp16-fix": Licence(
        "MIT",
        "https://huggingface.co/madebyollin/sdxl-vae-fp16-fix/blob/a1a2aceef17b5ef8865a34135263c473d9c7e0d5/README.md",
    ),
    "Qwen/Qwen-Image": Licence(
        "Apache-2.0",
        "https://github.com/QwenLM/Qwen-Image/blob/0a83598a89294594f109fa689cc3faee44a129a6/README.md",
    ),
    # The card of the same weights in the layout of their authors.
    "mit-han-lab/dc-ae-f32c32-in-1.0-diffusers": Licence(
        "Apache-2.0",
        "https://huggingface.co/mit-han-lab/dc-ae-f32c32-in-1.0/blob/e4af5f2763c638620889b94456d1b8f46f2670c4/README.md",
    ),
    # The READMEs of the code that the weights are released with.
    "Wan-AI/Wan2.1-T2V-1.3B-Diffusers": Licence(
        "Apache-2.0", "https://github.com/Wan-Video/Wan2.1/blob/18368dfcc8ec1930aba6a32011ef40d8efe098e7/README.md"
    ),
    "Wan-AI/Wan2.2-TI2V-5B-Diffusers": Licence(
        "Apache-2.0", "https://github.com/Wan-Video/Wan2.2/blob/08288767d616b668eef492d8cf1ca0ec3717b0ef/README.md"
    ),
    "madebyollin/taesd": Licence(
        "MIT", "https://huggingface.co/madebyollin/taesd/tree/5a11670ed857b30627e47e95f78debe993a44db6"
    ),
    "madebyollin/taesdxl": Licence(
        "MIT", "https://huggingface.co/madebyollin/taesdxl/tree/b5f05c9fbf71cb2f6c8e70a1c4fa98e28fca95ab"
    ),
    "madebyollin/taef1": Licence(
        "MIT", "https://huggingface.co/madebyollin/taef1/blob/5463ee684fd9131a724bea777a2f50d89b0b6b24/README.md"
    ),
}
"""By repository on the hub. Read on 2026-11-27."""
