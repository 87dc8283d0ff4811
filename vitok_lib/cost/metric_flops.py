"""FLOPs of the networks that metrics run, for an image and its reconstruction; a multiply-add counts as 2.

AlexNet and VGG-16 see every pixel, the extractors a resized image or nine crops of one size.
"""

from __future__ import annotations

from collections.abc import Sequence

_BY_PIXEL = {
    "lpips": 2 * 0.656e9 / 224**2,  # AlexNet's convolutions: 0.656 GMAC at 224 px (Krizhevsky et al. 2012)
    "dists": 2 * 15.35e9 / 224**2,  # VGG-16's convolutions: 15.35 GMAC at 224 px (Simonyan & Zisserman 2015)
}
_BY_VIEW = {
    "inception": 2 * 5.71e9,  # Inception v3 at 299 px: 5.71 GMAC (Szegedy et al. 2016)
    "dinov2": 2 * 304e6 * 257 + 24 * 4 * 1024 * 257**2,  # ViT-L of 304 M parameters over 257 tokens at 224 px
    "dinov3": 2 * 86e6 * 1029 + 12 * 4 * 768 * 1029**2,  # ViT-B of 86 M parameters over 1,029 tokens at 512 px
}
_EXTRACTED = {
    "inception": ("fid", "fid-infinity", "kid", "paired-inception"),
    "dinov2": ("fd-dinov2", "fd-infinity-dinov2", "paired-dinov2"),
    "dinov3": ("fd-dinov3", "fd-infinity-dinov3", "paired-dinov3"),
}
_CROPS = 9
_PATCHES = {"inception": "patch-fd-inception"}
_BOTH = 2
"""The original and the reconstruction; an original whose features are kept would be seen once."""


def network_flops(metrics: Sequence[str], resolution: int) -> float:
    """Of a square image of ``resolution`` px a side and its reconstruction, for all of ``metrics`` together."""
    by_pixel = sum(flops for name, flops in _BY_PIXEL.items() if name in metrics)
    views = sum(
        flops * (bool(set(metrics) & set(_EXTRACTED[name])) + _CROPS * (_PATCHES.get(name) in metrics))
        for name, flops in _BY_VIEW.items()
    )
    return _BOTH * (by_pixel * resolution**2 + views)
