"""What runs in a task of a cluster that reads and prepares one image; it needs no torch, whose import takes seconds."""

from __future__ import annotations

import platform

from vitok_lib.errors import RequestError
from vitok_lib.images.ahead import Loaded, load_or_error
from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import ImageSet


def prepare(image_set: ImageSet, entry: ManifestEntry, resolution: int) -> Loaded:
    """The pixels of an image, or its error; RequestError where this machine has no such file."""
    loaded = load_or_error(image_set, entry, resolution)
    if isinstance(loaded, ImageError) and isinstance(loaded.__cause__, FileNotFoundError):
        raise RequestError(
            f"node '{platform.node()}' has no image '{entry.name}' of '{image_set.name}'; every node needs the images "
            "at the same path, such as on a shared filesystem"
        )
    return loaded
