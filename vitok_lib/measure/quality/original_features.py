"""Features of originals, extracted once for all tokenizers of a process."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
MOST_BYTES = 2**29
"""Held at a time: Inception's features of 65,000 images."""


class FeatureCache:
    """Features by the pixels that they are of and by how they were extracted; what was not used for longest goes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held: OrderedDict[tuple[str, ...], Features] = OrderedDict()
        self._bytes = 0

    def get(self, pixels: NDArray[np.uint8], extractor: tuple[str, ...], extract: Callable[[], Features]) -> Features:
        """The features of an image ``[H, W, 3]`` by ``extractor``, its name, its device and what it is given."""
        key = (hashlib.sha256(pixels.tobytes()).hexdigest(), str(pixels.shape), *extractor)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        features = extract()
        self._held[key] = features
        self._bytes += features.nbytes
        while self._bytes > self._most_bytes:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return features


ORIGINALS = FeatureCache()
