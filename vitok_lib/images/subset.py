"""Subsets of a set that nest: the first n images of a seeded order are among its first m for every m above n."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from vitok_lib.errors import RequestError


def ordered(names: Iterable[str], seed: int | None) -> tuple[str, ...]:
    """``names`` in the order of ``seed``, or as they come for None.

    The order is that of a hash of seed and name, so that images that are added leave the others in their order.
    """
    if seed is None:
        return tuple(names)
    return tuple(sorted(names, key=lambda name: hashlib.sha256(f"{seed}\n{name}".encode()).digest()))


def check_seed(seed: int | None) -> None:
    """Raise RequestError unless ``seed`` is a whole number of 64 bits or None."""
    if seed is None:
        return
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise RequestError(f"subset seed must be a whole number, not {seed!r}")
    if not -(1 << 63) <= seed < 1 << 63:
        raise RequestError("subset seed must be between -2^63 and 2^63 - 1; give a smaller one")
