"""Distances between the features of images and of their reconstructions, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError, unknown
from vitok_lib.metrics.extrapolation import frechet_at_infinity
from vitok_lib.metrics.frechet import MINIMUM_COUNT, Features, check_features, frechet_distance
from vitok_lib.metrics.kernel import kernel_distance
from vitok_lib.metrics.statistics import METHOD, Estimate, clipped, mean_interval


def set_estimate(statistic: str, originals: Features, reconstructions: Features) -> Estimate | None:
    """One statistic of features ``[n, d]``, or ``[n, k, d]`` of k crops an image for ``patch-fd``, paired by row.

    Args:
        statistic: ``fd``, ``fd-infinity``, ``kid``, ``paired`` or ``patch-fd``.

    Returns:
        None where there are too few images for the statistic to be defined.

    Raises:
        RequestError: there is no such statistic, the two sets do not match, or a value is not finite.
    """
    if statistic not in STATISTICS:
        raise unknown("statistic of features", statistic, STATISTICS)
    if originals.shape != reconstructions.shape:
        raise RequestError(
            f"features of shapes {list(originals.shape)} and {list(reconstructions.shape)} are not paired by image"
        )
    return STATISTICS[statistic](originals, reconstructions)


def paired_distances(originals: Features, reconstructions: Features) -> NDArray[np.float64]:
    """The squared distance ``[n]`` between the features ``[n, d]`` of each image and of its reconstruction.

    n / (n − 1) times their mean is never below the Fréchet distance of the same features, and unlike that one the
    mean does not depend on n.
    """
    check_features(originals, reconstructions)
    differences = originals.astype(np.float64) - reconstructions
    distances: NDArray[np.float64] = np.sum(differences**2, axis=1)
    return distances


def _frechet(originals: Features, reconstructions: Features) -> Estimate | None:
    if len(originals) < MINIMUM_COUNT:
        return None
    return Estimate(frechet_distance(originals, reconstructions), len(originals))


def _paired(originals: Features, reconstructions: Features) -> Estimate | None:
    if len(originals) == 0:
        return None
    distances = paired_distances(originals, reconstructions)
    low, high = clipped(mean_interval(distances), (0, math.inf)) or (None, None)
    return Estimate(float(distances.mean()), len(distances), low, high, f"{METHOD} over images")


def _patches(originals: Features, reconstructions: Features) -> Estimate | None:
    """Crops of one image are no independent draws, and a distance has no interval of its own: none is given."""
    if originals.ndim != 3:
        raise RequestError(f"features of crops must be [images, crops, dimensions], not {list(originals.shape)}")
    dimensions = originals.shape[-1]
    return _frechet(originals.reshape(-1, dimensions), reconstructions.reshape(-1, dimensions))


STATISTICS: dict[str, Callable[[Features, Features], Estimate | None]] = {
    "fd": _frechet,
    "fd-infinity": frechet_at_infinity,
    "kid": kernel_distance,
    "paired": _paired,
    "patch-fd": _patches,
}
