"""Pillow as this project reads with it: up to its own largest size, and without noise about damaged files.

Both settings are Pillow's and Python's global state. They hold while at least one thread reads and no longer, so that
importing this library changes nothing for anybody else.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from PIL import Image

MAX_RESOLUTION = 16384
MAX_PIXELS = MAX_RESOLUTION * MAX_RESOLUTION

# Pillow logs some damage as an error; without a handler Python would print it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_IGNORED = ("ignore", None, Warning, re.compile(r"PIL(\.|\Z)"), 0)
_lock = threading.Lock()
_readers = 0
_limit_of_others: int | None = None


@contextmanager
def reading() -> Iterator[None]:
    """Allow images of ``MAX_PIXELS`` and ignore Pillow's warnings for as long as the block runs, in any thread.

    Pillow warns above its limit and refuses above twice that; its own limit is below the sizes that this project
    measures. One filter is put in and taken out again: to save and restore the list of filters, as
    ``warnings.catch_warnings`` does, would in a thread undo what other threads did meanwhile.
    """
    global _readers, _limit_of_others
    with _lock:
        if _readers == 0:
            _limit_of_others = Image.MAX_IMAGE_PIXELS
            if _limit_of_others is not None:
                Image.MAX_IMAGE_PIXELS = max(_limit_of_others, MAX_PIXELS)
        _readers += 1
        filters = _filters()
        if _IGNORED not in filters[:1]:
            filters.insert(0, _IGNORED)
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                Image.MAX_IMAGE_PIXELS = _limit_of_others
                filters = _filters()
                while _IGNORED in filters:
                    filters.remove(_IGNORED)


def _filters() -> list[Any]:
    return cast("list[Any]", warnings.filters)
