"""How each auto-encoder's latent is scaled for the generator over it, from the published configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vitok_lib.report.page.content import Code, Head, Note, Sentence, Table, WebLink
from vitok_lib.report.page.labels import digits
from vitok_lib.report.tables.released import licence
from vitok_lib.tokenizers.diffusers_classes.configurations import configuration_file, read_configuration
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, REGISTRY, Entry, describe

OF_THE_WEIGHTS = {
    "AutoencoderKLFlux2": "by channel and place in a patch, in the weights",
    "AutoencoderKLLTXVideo": "by channel, in the weights",
    "AutoencoderRAE": "by channel and position, in the weights",
}
"""Classes whose mean and standard deviation are tensors of the weight file."""
DEFAULTS: dict[str, dict[str, Any]] = {
    "AutoencoderKL": {"scaling_factor": 0.18215},
    "AutoencoderKLCosmos": {
        "latents_mean": [
            0.11362758, 0.19125476, 0.01306714, -0.00197727, -0.02994183, 0.08019473, 0.16718403, 0.09564418,
            -0.04987567, -0.05364667, 0.16427967, -0.10612928, -0.16888915, -0.03415358, 0.02055675, 0.20312774,
        ],
        "latents_std": [
            0.56700271, 0.85245121, 0.84960359, 0.91877103, 0.77755755, 0.69903517, 0.8187142, 0.67583984,
            0.72450989, 0.90176988, 0.49853548, 0.61986589, 0.35586974, 0.98101336, 0.83202779, 0.44025335,
        ],
    },
}  # fmt: skip
"""What diffusers' classes put where a configuration says nothing; of Cosmos for the first latent frame, an image."""


def latent_scale_table() -> Table:
    """The auto-encoders on the hub: class, latent, licence, and the shift and scale: (latent - shift) · scale."""
    heads = ("Model", "Class", "Stride, px", "Channels", "Ratio", "Licence", "Shift", "Scale")
    entries = [entry for entry in REGISTRY.values() if entry.family in CONVOLUTIONAL and entry.repository]
    return Table([[Head(text) for text in heads]], [_row(entry) for entry in entries])


def _row(entry: Entry) -> list[Sentence]:
    config, spec = read_configuration(configuration_file(entry)), describe(entry.name)
    config = DEFAULTS.get(config["_class_name"], {}) | config
    assert spec.compression_ratio is not None
    codes = config.get("num_vq_embeddings")
    discrete = (Note(f", discrete: {math.ceil(math.log2(codes))} bits a position"),) if codes else ()
    return [
        (WebLink(entry.name, f"https://huggingface.co/{entry.repository}"),),
        (Code(config["_class_name"]),),
        (str(spec.downsampling),),
        (str(spec.latent_channels), *discrete),
        (f"{digits('ratio', spec.compression_ratio)} : 1",),
        licence(entry.repository or "", entry.gated),
        *((text,) for text in shift_and_scale(config)),
    ]


def shift_and_scale(config: dict[str, Any]) -> tuple[str, str]:
    """Shift and scale of a configuration of diffusers in print; the range where each channel has its own."""
    if config["_class_name"] in OF_THE_WEIGHTS:
        return (OF_THE_WEIGHTS[config["_class_name"]],) * 2
    mean, std, factor = (config.get(key) for key in ("latents_mean", "latents_std", "scaling_factor"))
    factor = 1.0 if factor is None else factor
    if mean is not None and std is not None:
        return _range(mean), _range([factor / value for value in std])
    return f"{config.get('shift_factor') or 0:g}", f"{factor:g}"


def _range(values: Sequence[float]) -> str:
    return f"by channel, {min(values):.3g} to {max(values):.3g}".replace("-", "−")
