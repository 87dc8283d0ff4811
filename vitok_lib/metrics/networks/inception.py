"""The Inception network of 2015-12-05, the only one whose Fréchet distance may be called FID.

torch-fidelity's network, which repeats the original graph, with the weights converted from it. The file is a pickle:
its sha256 is checked before it is read, and it is read as tensors alone.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
from torch import Tensor, nn

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks.network import Network
from vitok_lib.metrics.networks.pins import PINS, check_pinned
from vitok_lib.metrics.networks.safe_loading import weights_only
from vitok_lib.project import path_in_environment
from vitok_lib.records.schema import Weights

(SHA256,) = PINS["inception"].values()
VARIABLE = "VITOK_INCEPTION"
FILE_NAMES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE_NAMES[0]}"
DIMENSIONS = 2048
_CLASSIFIER = "fc"  # what comes after the pooled features


def load_inception(device: str) -> Network:
    """The network up to its pooled features of 2048 dimensions.

    Raises:
        RequestError: the weights are not here or are other ones, or torch-fidelity cannot be imported.
    """
    file = _weight_file()
    check_pinned(
        "inception", file, SHA256, f"fetch {URL}: a distance in any other network than that of 2015-12-05 is no FID"
    )
    try:
        make = importlib.import_module("torch_fidelity").FeatureExtractorInceptionV3
    except ImportError as error:
        raise RequestError(
            "feature extractor 'inception' needs torch-fidelity and torchvision, which cannot be imported here "
            f"({error}); pip install 'vitok-lib[gpu]'",
            code="missing-package",
        ) from error
    with weights_only():
        network = make("inception", [str(DIMENSIONS)], feature_extractor_weights_path=str(file))
    network.to(device)
    return Network(
        lambda levels: _pooled(network, levels), DIMENSIONS, Weights(source="file", files={file.name: SHA256})
    )


def _pooled(network: nn.Module, levels: Tensor) -> Tensor:
    """The network's parts in the order in which they were registered, which is that of its own forward pass.

    Its forward pass takes 8-bit images alone, and the resized ones are not rounded.
    """
    maps = (levels - 128) / 128
    for name, part in network.named_children():
        if name == _CLASSIFIER:
            break
        maps = part(maps)
    return torch.flatten(maps, 1)


def _weight_file() -> Path:
    named = path_in_environment(VARIABLE)
    if named is not None:
        if named.is_file():
            return named
        raise RequestError(f"{VARIABLE} names '{named}', which is no file; fetch {URL} there")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name in FILE_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise RequestError(
        f"the Inception weights of 2015-12-05 are not in '{folder}'; fetch {URL} there, or name the file in {VARIABLE}"
    )
