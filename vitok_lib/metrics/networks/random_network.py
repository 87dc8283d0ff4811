"""A convolutional network that never was trained: its features exercise every path on any machine, within milliseconds.

Distances in it say whether two sets of images differ, and little of how a person would see the difference.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.metrics.networks.network import Network
from vitok_lib.records.schema import Weights

SEED = 0
_LAYERS = ((3, 16, 5), (16, 48, 3), (48, 64, 3))  # channels in and out, and the kernel's side; each layer halves


def load_random(device: str) -> Network:
    """The network of seed 0: the mean of each channel after each of three layers, 128 in all."""
    # NumPy keeps the stream of this generator for good, which it does not promise of newer ones.
    normal = np.random.RandomState(SEED).standard_normal
    kernels = [
        torch.from_numpy(normal((out, inward, side, side)) * math.sqrt(2 / (inward * side**2))).float().to(device)
        for inward, out, side in _LAYERS
    ]

    def features(levels: Tensor) -> Tensor:
        maps, means = levels / 127.5 - 1, []
        for kernel in kernels:
            maps = F.conv2d(maps, kernel, stride=2, padding=kernel.shape[-1] // 2).relu_()
            means.append(maps.mean((2, 3)))
        return torch.cat(means, 1)

    return Network(features, sum(out for _, out, _ in _LAYERS), Weights(source=f"random:{SEED}"))
