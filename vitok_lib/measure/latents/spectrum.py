"""The principal axes of a latent's covariance, how many of them it uses, and a picture of the first three."""

from __future__ import annotations

import numpy as np

from vitok_lib.measure.latents.moments import Array, Moments
from vitok_lib.measure.quality.metric_suite import Pixels

_GREY = 128.0
_SHOWN_DEVIATIONS = 3.0
"""Standard deviations of a component on each side of grey that a picture's 256 levels span."""


def principal_axes(covariance: Array) -> tuple[Array, Array]:
    """Eigenvalues ``[C]``, the largest first, and the eigenvectors as rows ``[C, C]``.

    An eigenvector is as good as its negative: the sign is the one by which its largest element is positive (of equal
    ones the first). Rounding may leave an eigenvalue below 0, which counts as 0.
    """
    values, vectors = np.linalg.eigh(covariance)
    values, axes = np.maximum(values[::-1], 0), vectors.T[::-1]
    # Elements that are equal but for rounding count as equal, or else rounding would choose the sign.
    largest = np.abs(axes).max(axis=1, keepdims=True)
    leading = (np.abs(axes) >= largest * (1 - 1e-9)).argmax(axis=1)
    signs = np.sign(np.take_along_axis(axes, leading[:, None], axis=1))
    return values, axes * signs


def effective_rank(eigenvalues: Array) -> float:
    """exp(−Σ p ln p) with p the eigenvalues over their sum (Roy & Vetterli 2007, of the covariance's singular values).

    Between 1 and C: C where all channels are uncorrelated and vary alike. 0 where nothing varies.
    """
    total = float(eigenvalues.sum())
    if total <= 0:
        return 0.0
    p = eigenvalues[eigenvalues > 0] / total
    return float(np.exp(-(p * np.log(p)).sum()))


def leading_components(values: Array, moments: Moments) -> Pixels:
    """The three leading principal components of a latent ``[rows, columns, C]`` as colours ``[rows, columns, 3]``.

    Red, green and blue are the first, second and third: 128 is the mean, and 0 and 255 lie three standard deviations
    of that component from it. What a latent of fewer channels lacks stays grey.
    """
    variances, axes = principal_axes(moments.covariance)
    shown = min(3, len(variances))
    deviations = np.sqrt(variances[:shown])
    scores = (np.asarray(values, np.float64) - moments.mean) @ axes[:shown].T
    scores = np.divide(scores, deviations, out=np.zeros_like(scores), where=deviations > 0)
    colours = np.full((*values.shape[:2], 3), _GREY)
    colours[..., :shown] += scores * (_GREY / _SHOWN_DEVIATIONS)
    levels: Pixels = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    return levels
