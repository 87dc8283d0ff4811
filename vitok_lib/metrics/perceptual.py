"""LPIPS and DISTS: distances that a network learned from human judgements, through torchmetrics and torchvision.

Both come with the GPU extra and fetch the weights of their networks when first used. The backbone's file lies in torch
hub's cache, where anything may have put it: it and the file in torchmetrics are checked by their sha256.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks.network import exact_convolutions
from vitok_lib.metrics.networks.pins import PINS, check_pinned
from vitok_lib.metrics.networks.safe_loading import weights_only


def load_lpips(device: str) -> Callable[[Tensor, Tensor], float]:
    """Learned perceptual image patch similarity (Zhang et al. 2018), AlexNet, of uint8 ``[3, H, W]`` on ``device``.

    Raises:
        RequestError: torchmetrics or torchvision is missing, or the weights cannot be fetched or are other ones.
    """

    def make() -> torch.nn.Module:
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        return LearnedPerceptualImagePatchSimilarity(net_type="alex").net

    network = _loaded("lpips", make, device)
    return _distance(network, lambda image: image[None].float() / 127.5 - 1)


def load_dists(device: str) -> Callable[[Tensor, Tensor], float]:
    """Deep image structure and texture similarity (Ding et al. 2020), VGG-16, of uint8 ``[3, H, W]`` on ``device``.

    Raises:
        RequestError: torchmetrics or torchvision is missing, or the weights cannot be fetched or are other ones.
    """

    def make() -> torch.nn.Module:
        from torchmetrics.functional.image.dists import DISTSNetwork

        return DISTSNetwork()

    network = _loaded("dists", make, device)
    return _distance(network, lambda image: image[None].float() / 255)


PERCEPTUAL_METRICS: dict[str, Callable[[str], Callable[[Tensor, Tensor], float]]] = {
    "lpips": load_lpips,
    "dists": load_dists,
}


def _loaded(name: str, make: Callable[[], torch.nn.Module], device: str) -> torch.nn.Module:
    try:
        importlib.import_module("torchvision")
        importlib.import_module("torchmetrics")
    except (ImportError, OSError, RuntimeError) as error:  # a torchvision of another torch raises RuntimeError
        reason = " ".join(str(error).split())
        raise RequestError(
            f"metric '{name}' needs torchmetrics and torchvision, which cannot be imported here ({reason}); "
            "pip install 'vitok-lib[gpu]'",
            code="missing-package",
        ) from error
    try:
        with weights_only():
            network = make()
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(
            f"the networks of metric '{name}' cannot be loaded ({reason}); check the network, "
            "or fetch them into torch hub's cache on a machine that has one"
        ) from error
    _check_weights(name)
    return network.to(device).eval().requires_grad_(False)


def _check_weights(name: str) -> None:
    """Raise a RequestError unless the files that were loaded are those that the metric is defined with."""
    (backbone, backbone_digest), (head, head_digest) = PINS[name].items()
    cached = Path(torch.hub.get_dir()) / "checkpoints" / backbone
    check_pinned(name, cached, backbone_digest, "remove it, so that torchvision fetches the published file")
    check_pinned(name, _packaged(head), head_digest, "reinstall torchmetrics")


def _packaged(file: str) -> Path:
    """A file that torchmetrics brings."""
    package = importlib.import_module("torchmetrics").__file__
    assert package is not None
    return Path(package).parent / "functional" / "image" / file


def _distance(network: torch.nn.Module, ranged: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], float]:
    @torch.no_grad()
    def distance(original: Tensor, reconstruction: Tensor) -> float:
        with exact_convolutions():
            return float(network(ranged(original), ranged(reconstruction)))

    return distance
