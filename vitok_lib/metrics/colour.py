"""Colour of an 8-bit image and its 8-bit reconstruction in CIELAB: where it moved to, and how far.

Images are sRGB (IEC 61966-2-1) under D65. The white point is the sum of the matrix's columns, so that greys have
a* = b* = 0 to 10⁻⁴. Colours are float32 over strips, which bounds the memory, and sums are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

_XYZ_OF_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_DELTA = 6 / 29  # CIE 15: below δ³ the cube root is continued by a line
_STRIP_PIXELS = 2**18


def colour_differences(original: Tensor, reconstruction: Tensor, names: Iterable[str]) -> dict[str, float]:
    """Means over the pixels of two uint8 ``[3, H, W]`` images, by their ``names`` in :data:`COLOUR_METRICS`.

    Both images go to CIELAB once for all of them.
    """
    totals = {name: torch.zeros((), dtype=torch.float64, device=original.device) for name in names}
    for strips in _strips(original, reconstruction):
        first, second = (lab_of_srgb(strip) for strip in strips)
        for name, total in totals.items():
            total += COLOUR_METRICS[name](first, second).sum(dtype=torch.float64)
    return {name: float(total) / original[0].numel() for name, total in totals.items()}


def linear_levels(device: torch.device) -> Tensor:
    """The linear light of each of the 256 levels of 8-bit sRGB, from 0 to 1, float64."""
    levels = torch.arange(256, dtype=torch.float64, device=device) / 255
    return torch.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def lab_of_srgb(pixels: Tensor) -> Tensor:
    """CIELAB of 8-bit sRGB ``[3, …]``, float32: L* in [0, 100], a* and b* about within ±110."""
    matrix = torch.tensor(_XYZ_OF_RGB, dtype=torch.float64, device=pixels.device)
    matrix = (matrix / matrix.sum(1, keepdim=True)).float()
    relative = torch.tensordot(matrix, linear_levels(pixels.device).float()[pixels.int()], dims=1)
    x, y, z = torch.where(relative > _DELTA**3, relative ** (1 / 3), relative / (3 * _DELTA**2) + 4 / 29)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)))


def ciede2000(first: Tensor, second: Tensor) -> Tensor:
    """CIEDE2000 of colours in CIELAB ``[3, …]``, with all parametric factors 1 (Sharma, Wu & Dalal 2005).

    Returns:
        ``[…]``, 0 or more. Equations and the handling of hues are those of the paper, whose numbers are named here.
    """
    (l1, a1, b1), (l2, a2, b2) = first, second
    g = 0.5 * (1 - _saturation((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2))  # (4)
    a1, a2 = (1 + g) * a1, (1 + g) * a2  # (5)
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.atan2(b1, a1) % (2 * math.pi), torch.atan2(b2, a2) % (2 * math.pi)
    grey = c1 * c2 == 0
    turn = h2 - h1
    turn = turn - 2 * math.pi * (turn > math.pi) + 2 * math.pi * (turn < -math.pi)  # (10)
    turn = torch.where(grey, 0.0, turn)
    hue_step = 2 * (c1 * c2).sqrt() * (turn / 2).sin()  # (11)
    apart = (h1 - h2).abs() > math.pi
    hue = (h1 + h2) / 2 + torch.where(h1 + h2 < 2 * math.pi, math.pi, -math.pi) * apart  # (14)
    hue = torch.where(grey, h1 + h2, hue)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    t = (  # (15)
        1
        - 0.17 * (hue - math.radians(30)).cos()
        + 0.24 * (2 * hue).cos()
        + 0.32 * (3 * hue + math.radians(6)).cos()
        - 0.20 * (4 * hue - math.radians(63)).cos()
    )
    off = (lightness - 50) ** 2
    by_lightness = (l2 - l1) / (1 + 0.015 * off / (20 + off).sqrt())  # (18)
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)  # (19)
    by_hue = hue_step / (1 + 0.015 * chroma * t)  # (20)
    angle = math.radians(60) * (-(((hue - math.radians(275)) / math.radians(25)) ** 2)).exp()  # 2 Δθ of (16)
    rotation = -2 * _saturation(chroma) * angle.sin()  # (17), (21)
    squared: Tensor = by_lightness**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue  # (22)
    return squared.clamp(min=0).sqrt()


def _saturation(chroma: Tensor) -> Tensor:
    """The root of C⁷ / (C⁷ + 25⁷), from 0 at grey to 1."""
    seventh = chroma**7
    return (seventh / (seventh + 25.0**7)).sqrt()


COLOUR_METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ciede2000": ciede2000,
    **{
        f"delta-{letter}": lambda first, second, axis=axis: second[axis] - first[axis]  # type: ignore[misc]
        for axis, letter in enumerate("lab")
    },
}
"""Of each pixel, from the colours of the original and of the reconstruction in CIELAB ``[3, …]``: CIEDE2000, about 1
where just visible, and with their sign how much lighter (L*), more red than green (a*), more yellow than blue (b*)."""


def _strips(original: Tensor, reconstruction: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    rows = max(1, _STRIP_PIXELS // max(1, original.shape[2]))
    yield from zip(original.split(rows, 1), reconstruction.split(rows, 1), strict=True)
