"""How LPIPS and DISTS are wired: their packages and weights are not here, so stubs stand in for them."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from urllib.error import URLError

import pytest
import torch
import torchmetrics.image  # noqa: F401  # before a stub stands in for a part of it
from torch import Tensor, nn

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks.pins import PINS
from vitok_lib.metrics.networks.safe_loading import FORCED
from vitok_lib.metrics.perceptual import PERCEPTUAL_METRICS
from vitok_lib.metrics.pixel import image_metric

LOWEST = {"lpips": -1.0, "dists": 0.0}
MODULES = {"lpips": "torchmetrics.image.lpip", "dists": "torchmetrics.functional.image.dists"}
CLASSES = {"lpips": "LearnedPerceptualImagePatchSimilarity", "dists": "DISTSNetwork"}


class Recorder(nn.Module):
    """Keeps what it is called with, and how loading was set when it was made."""

    def __init__(self, net_type: str | None = None) -> None:
        super().__init__()
        self.net_type, self.forced = net_type, os.environ.get(FORCED)
        self.seen: list[Tensor] = []
        self.tf32 = True

    @property
    def net(self) -> Recorder:
        return self

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        self.seen = [first, second]
        self.tf32 = torch.backends.cudnn.allow_tf32
        return (first - second).abs().mean()


def _stub(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[..., nn.Module]) -> None:
    module = ModuleType(MODULES[name])
    setattr(module, CLASSES[name], make)
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, MODULES[name], module)


@pytest.fixture(autouse=True)
def backbones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A file in torch hub's cache for each metric, taken for the published one."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    files = {}
    for name in PERCEPTUAL_METRICS:
        backbone, head = PINS[name]
        (folder / backbone).write_bytes(name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        monkeypatch.setitem(PINS, name, {backbone: digest, head: PINS[name][head]})
        files[name] = folder / backbone
    return files


@pytest.mark.parametrize("name", PERCEPTUAL_METRICS)
def test_a_backbone_that_is_not_the_published_one_is_refused(
    name: str, backbones: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _stub(monkeypatch, name, Recorder)
    image_metric(name, "cpu")
    backbones[name].write_bytes(b"another network")
    with pytest.raises(RequestError, match=rf"{backbones[name].name}' holds other weights than '{name}' .*remove it"):
        image_metric(name, "cpu")
    backbones[name].unlink()
    with pytest.raises(RequestError, match=rf"weights of '{name}' are not at"):
        image_metric(name, "cpu")


@pytest.mark.parametrize("name", PERCEPTUAL_METRICS)
def test_a_head_that_is_not_the_published_one_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _stub(monkeypatch, name, Recorder)
    backbone, head = PINS[name]
    monkeypatch.setitem(PINS, name, {backbone: PINS[name][backbone], head: "0" * 64})
    with pytest.raises(RequestError, match=rf"holds other weights than '{name}' .*reinstall torchmetrics"):
        image_metric(name, "cpu")


@pytest.mark.parametrize("name", PERCEPTUAL_METRICS)
def test_the_network_sees_both_images_in_its_range(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Recorder] = []

    def make(**arguments: str) -> Recorder:
        made.append(Recorder(**arguments))
        return made[-1]

    _stub(monkeypatch, name, make)
    monkeypatch.delenv(FORCED, raising=False)
    metric = image_metric(name, "cpu")
    black, white = (torch.full((3, 20, 30), level, dtype=torch.uint8) for level in (0, 255))
    assert metric(black, white) == pytest.approx(1 - LOWEST[name])
    (network,) = made
    assert [each.shape for each in network.seen] == [(1, 3, 20, 30)] * 2
    assert [each.unique().tolist() for each in network.seen] == [[LOWEST[name]], [1.0]]
    assert not network.training
    assert not network.tf32, "as on a CPU, where the value is to be the same"
    assert network.net_type == ("alex" if name == "lpips" else None)
    assert network.forced == "1"
    assert FORCED not in os.environ


@pytest.mark.parametrize("name", PERCEPTUAL_METRICS)
def test_a_package_that_is_missing_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(RequestError, match=rf"metric '{name}' needs torchmetrics and torchvision.*vitok-lib\[gpu\]"):
        image_metric(name, "cpu")


@pytest.mark.parametrize("name", PERCEPTUAL_METRICS)
@pytest.mark.parametrize(
    "error",
    [
        URLError("no route"),
        RuntimeError("operator torchvision::nms\n does not exist"),
        EOFError("a file cut short"),
        UnpicklingError("Weights only load failed.\nUnsupported global"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_weights_that_cannot_be_loaded_are_one_sentence(
    name: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: str) -> nn.Module:
        raise error

    _stub(monkeypatch, name, fail)
    with pytest.raises(RequestError, match=f"networks of metric '{name}' cannot be loaded") as raised:
        image_metric(name, "cpu")
    assert "\n" not in str(raised.value)
