"""FLOPs of the networks that metrics run, for an image and its reconstruction; a multiply-add counts as 2.

AlexNet and VGG-16 see every pixel, the extractors a resized image or nine crops of one size.
"""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.metrics.signature import find_metric

_BY_PIXEL = {
    "lpips": 2 * 0.656e9 / 224**2,  # convolutions of torchvision's AlexNet: 0.656 GMAC at 224 px
    "dists": 2 * 15.35e9 / 224**2,  # VGG-16's convolutions: 15.35 GMAC at 224 px (Simonyan & Zisserman 2015)
}
_INCEPTION = 2 * 5.71e9  # Inception v3 at 299 px: 5.71 GMAC (Szegedy et al. 2016)
_BY_VIEW = {
    "inception": _INCEPTION,
    "inception-legacy": _INCEPTION,
    "dinov2": 2 * 304e6 * 257 + 24 * 4 * 1024 * 257**2,  # ViT-L of 304 M parameters over 257 tokens at 224 px
    "dinov3": 2 * 86e6 * 1029 + 12 * 4 * 768 * 1029**2,  # ViT-B of 86 M parameters over 1,029 tokens at 512 px
    "random": 2 * 76.3e6,  # three convolutions at 256 px
}
_CROPS = 9
_BOTH = 2
"""The original and the reconstruction; an original whose features are kept would be seen once."""


def network_flops(metrics: Sequence[str], resolution: int) -> float:
    """Of a square image of ``resolution`` px a side and its reconstruction, for all of ``metrics`` together.

    Raises:
        RequestError: a metric is not known.
    """
    asked = [find_metric(name) for name in metrics]
    by_pixel = sum(_BY_PIXEL.get(metric.name, 0.0) for metric in asked)
    passes = {(metric.extractor, _CROPS if metric.statistic == "patch-fd" else 1) for metric in asked}
    views = sum(_BY_VIEW[extractor] * count for extractor, count in passes if extractor is not None)
    return _BOTH * (by_pixel * resolution**2 + views)
