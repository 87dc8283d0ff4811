"""Subsets of a set that nest: the first n images of a seeded order are among its first m for every m above n."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from vitok_lib.errors import RequestError

_SHOWN_BITS = 128  # Python writes no number of thousands of digits


def ordered(names: Iterable[str], seed: int | None) -> tuple[str, ...]:
    """``names`` in the order of ``seed``, or as they come for None.

    The order is that of a hash of seed and name, so that images that are added leave the others in their order.
    """
    if seed is None:
        return tuple(names)
    return tuple(sorted(names, key=lambda name: hashlib.sha256(f"{seed}\n{name}".encode()).digest()))


def check_seed(seed: int | None) -> None:
    """Raise RequestError unless ``seed`` is None or a whole number from 0 to 2^63 - 1."""
    if seed is None:
        return
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise RequestError(f"subset seed must be a whole number, not {seed!r}")
    if not 0 <= seed < 1 << 63:
        given = f"{seed}" if seed.bit_length() <= _SHOWN_BITS else f"a number of {seed.bit_length()} bits"
        raise RequestError(
            f"subset seed (={given}) must be 0 or more, and below 2^63; leave it out for the set's order"
        )
