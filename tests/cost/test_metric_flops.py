"""FLOPs of the networks of metrics, against torch's count over the same networks on the meta device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vitok_lib.cost.metric_flops import network_flops
from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks.extractors import EXTRACTORS
from vitok_lib.metrics.networks.random_network import load_random
from vitok_lib.metrics.signature import METRICS

ALEXNET = [(64, 11, 4, 2), "pool", (192, 5, 1, 2), "pool", (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)]
VGG16 = [
    (width, 3, 1, 1) if width else "pool"
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
]
"""Channels out, the kernel's side, stride and padding of each convolution, as in torchvision."""
VITS = {
    "dinov2": ("Dinov2", {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 14}),
    "dinov3": ("DINOv3ViT", {"hidden_size": 768, "intermediate_size": 3072, "num_register_tokens": 4}),
}


def _counted(make: Callable[[], Callable[[torch.Tensor], object]], side: int) -> int:
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counted:
        make()(torch.empty(1, 3, side, side))
    return counted.get_total_flops()


def _stack(layers: list[object], pool: Callable[[], nn.Module]) -> nn.Module:
    modules: list[nn.Module] = []
    channels = 3
    for layer in layers:
        if isinstance(layer, tuple):
            width, side, stride, padding = layer
            modules.append(nn.Conv2d(channels, width, side, stride, padding))
            channels = width
        else:
            modules.append(pool())
    return nn.Sequential(*modules)


@pytest.mark.parametrize(
    ("metric", "layers", "pool"),
    [("lpips", ALEXNET, lambda: nn.MaxPool2d(3, 2)), ("dists", VGG16, lambda: nn.MaxPool2d(2))],
)
def test_backbones_cost_their_convolutions(metric: str, layers: list[object], pool: Callable[[], nn.Module]) -> None:
    counted = _counted(lambda: _stack(layers, pool), 224)
    assert network_flops([metric], 224) == pytest.approx(2 * counted, rel=2e-3), "of an image and its reconstruction"
    assert network_flops([metric], 448) == pytest.approx(4 * 2 * counted, rel=2e-3), "four times the pixels"


@pytest.mark.parametrize("extractor", VITS)
def test_vits_cost_what_transformers_models_do(extractor: str) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers comes with the GPU extra")
    name, sizes = VITS[extractor]

    def make() -> Callable[[torch.Tensor], object]:
        model: nn.Module = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**sizes))
        return model.eval()

    counted = _counted(make, EXTRACTORS[extractor].crop_side)
    assert network_flops([f"fd-{extractor}"], 1024) == pytest.approx(2 * counted, rel=0.01)


def test_the_random_network_costs_its_convolutions() -> None:
    network = load_random("cpu")
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        network.features(torch.zeros(1, 3, 256, 256))
    assert network_flops(["fd-random"], 1024) == pytest.approx(2 * counted.get_total_flops(), rel=2e-3)


def test_features_are_extracted_once_for_all_metrics_of_them() -> None:
    one, crops = network_flops(["fid"], 8192), network_flops(["patch-fd-inception"], 8192)
    assert crops == pytest.approx(9 * one), "nine crops of the size that the image is resized to"
    assert network_flops(["fid", "kid", "psnr"], 64) == one
    assert network_flops(["fid", "fid-legacy"], 64) == 2 * one, "each rule of resizing gives features of its own"


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.extractor])
def test_no_distance_is_free(name: str) -> None:
    assert network_flops([name], 256) > 0


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(RequestError, match="did you mean fid"):
        network_flops(["fidd"], 256)
