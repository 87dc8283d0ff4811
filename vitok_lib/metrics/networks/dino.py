"""DINOv2 and DINOv3 features: the class token after the last normalisation, through transformers' models.

Weights come from the hub at a pinned revision, as safetensors alone, and each file is checked by its sha256.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks.network import Network
from vitok_lib.metrics.networks.pins import PINS, check_pinned
from vitok_lib.records.schema import Weights

MEAN, STANDARD_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels, in [0, 1]


@dataclass(frozen=True)
class Release:
    """``model`` is transformers' class; ``gated``: its owner asks for a licence to be accepted."""

    extractor: str
    repository: str
    revision: str
    model: str
    gated: bool


DINOV2 = Release(
    "dinov2", "facebook/dinov2-large", "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c", "Dinov2Model", gated=False
)
DINOV3 = Release(
    "dinov3",
    "facebook/dinov3-vitb16-pretrain-lvd1689m",
    "5931719e67bbdb9737e363e781fb0c67687896bc",
    "DINOv3ViTModel",
    gated=True,
)


def load_dinov2(device: str) -> Network:
    """DINOv2 ViT-L/14 (Oquab et al. 2024), the extractor that Stein et al. 2023 found closest to human judgement.

    Raises:
        RequestError: transformers is missing, or the weights cannot be fetched or read, or are other ones.
    """
    return _load(DINOV2, device)


def load_dinov3(device: str) -> Network:
    """DINOv3 ViT-B/16 (Siméoni et al. 2025), the extractor of the distance that is published as FDD.

    Raises:
        RequestError: transformers is missing, or the weights cannot be fetched or read, or are other ones.
    """
    return _load(DINOV3, device)


def _load(release: Release, device: str) -> Network:
    try:
        import transformers

        model_class = getattr(transformers, release.model)
    except (ImportError, AttributeError) as error:
        raise RequestError(
            f"feature extractor '{release.extractor}' needs a transformers that has {release.model} ({error}); "
            "pip install 'vitok-lib[gpu]'"
        ) from error
    folder = _fetched(release)
    for name, digest in PINS[release.extractor].items():
        check_pinned(release.extractor, folder / name, digest, f"remove '{folder}', so that it is fetched again")
    try:
        model, found = model_class.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # whatever transformers or safetensors says of damaged files
        reason = " ".join(str(error).split())
        raise RequestError(f"'{release.repository}' in '{folder}' cannot be read ({reason}); fetch it again") from error
    if found["missing_keys"]:
        raise RequestError(f"'{release.repository}' in '{folder}' lacks weights of {release.model}; fetch it again")
    model.to(device).eval().requires_grad_(False)
    mean, deviation = (torch.tensor(each, device=device)[:, None, None] for each in (MEAN, STANDARD_DEVIATION))

    def features(levels: Tensor) -> Tensor:
        tokens: Tensor = model(pixel_values=(levels / 255 - mean) / deviation).last_hidden_state
        return tokens[:, 0]

    return Network(features, model.config.hidden_size, _identity(release))


def _fetched(release: Release) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            release.repository, revision=release.revision, allow_patterns=list(PINS[release.extractor])
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        licence = f"accept its licence at https://huggingface.co/{release.repository}, " if release.gated else ""
        raise RequestError(
            f"cannot fetch '{release.repository}' at revision '{release.revision}' from the hub ({reason}); "
            f"{licence}check the network and the access token (HF_TOKEN)",
            code="hub-unreachable",
        ) from error
    return Path(folder)


def _identity(release: Release) -> Weights:
    files = PINS[release.extractor]
    return Weights(source="released", repository=release.repository, revision=release.revision, files=files)
