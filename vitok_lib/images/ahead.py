"""Loading images in threads while the images before them are measured; Pillow decodes outside of Python's lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import ImageSet, load_image

MAX_BYTES = int(0.8 * (1 << 30))
"""Of pixels that are loaded ahead: four images of 8192 × 8192."""

_IMAGES_PER_WORKER = 8

Loaded = NDArray[np.uint8] | ImageError


def load_ahead(
    image_set: ImageSet, entries: Sequence[ManifestEntry], resolution: int, workers: int = 2
) -> Generator[tuple[ManifestEntry, Loaded], None, None]:
    """Each of ``entries`` with its pixels, ``[H, W, 3]`` in 0…255, in order.

    ``workers`` threads are at most 8 images each and, but for one image each, ``MAX_BYTES`` ahead of the caller; with 0
    an image is loaded when it is asked for. An image that cannot be read comes as its ImageError; any other error is
    raised here, at its image. Closing the iterator ends the threads.
    """
    if workers == 0:
        for entry in entries:
            yield entry, load_or_error(image_set, entry, resolution)
        return
    largest = 3 * resolution**2
    ahead: deque[tuple[ManifestEntry, Future[Loaded]]] = deque()
    waiting = deque(entries)
    executor = ThreadPoolExecutor(workers, thread_name_prefix="vitok-load")

    def fill() -> None:
        while waiting and len(ahead) < workers * _IMAGES_PER_WORKER:
            # One image for each thread in any case: else 16 cores would load four images of 8192 px at a time.
            if len(ahead) >= workers and largest + sum(_size(future, largest) for _, future in ahead) > MAX_BYTES:
                break
            entry = waiting.popleft()
            ahead.append((entry, executor.submit(load_or_error, image_set, entry, resolution)))

    try:
        fill()
        while ahead:
            entry, future = ahead.popleft()
            loaded = future.result()
            fill()
            yield entry, loaded
            del future, loaded  # not to be held while the next one is waited for
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def load_or_error(image_set: ImageSet, entry: ManifestEntry, resolution: int) -> Loaded:
    """The pixels of an image, or why it cannot be read."""
    try:
        return load_image(image_set, entry.name, resolution)
    except ImageError as error:
        return error


def _size(future: Future[Loaded], largest: int) -> int:
    """Bytes that an image takes or, while it is being loaded, may take."""
    if not future.done() or future.exception() is not None:
        return largest
    loaded = future.result()
    return 0 if isinstance(loaded, ImageError) else loaded.nbytes
