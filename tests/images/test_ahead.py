"""Images loaded in threads come in order, not too many at once, and leave no thread behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray

from vitok_lib.images.ahead import MAX_BYTES, load_ahead
from vitok_lib.images.manifest import Manifest, ManifestEntry
from vitok_lib.images.sets import ImageError

ENTRIES = [ManifestEntry(str(index), 0, "") for index in range(40)]


class Slow:
    """A set whose images take a while; ``load`` may be replaced."""

    name, description, rule, subset_seed = "slow", "Slow.", "none", None

    def __init__(self, make: Callable[[str, int], NDArray[np.uint8]]) -> None:
        self.started: list[str] = []
        self.threads: set[str] = set()
        self._make = make

    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in ENTRIES)

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        return Manifest(tuple(ENTRIES))

    def load(self, name: str, resolution: int) -> NDArray[np.uint8]:
        self.started.append(name)
        self.threads.add(threading.current_thread().name)
        return self._make(name, resolution)


def _numbered(name: str, resolution: int) -> NDArray[np.uint8]:
    time.sleep(0.003 * (int(name) % 3))
    return np.broadcast_to(np.uint8(int(name)), (resolution, resolution, 3))  # its size without its memory


def _settle(images: Slow) -> int:
    """How many loads have begun once no more begin."""
    before = -1
    while before != len(images.started):
        before = len(images.started)
        time.sleep(0.05)
    return before


def _workers_alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("vitok-load")]


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_images_come_in_the_order_of_the_entries(workers: int) -> None:
    loaded = list(load_ahead(Slow(_numbered), ENTRIES, 2, workers))
    assert [entry for entry, _ in loaded] == ENTRIES
    assert [int(pixels.max()) for _, pixels in loaded if not isinstance(pixels, ImageError)] == list(range(40))
    assert _workers_alive() == []


def test_without_workers_the_caller_loads_when_it_asks() -> None:
    images = Slow(_numbered)
    loading = load_ahead(images, ENTRIES, 2, 0)
    next(loading)
    next(loading)
    assert images.started == ["0", "1"]
    assert images.threads == {threading.current_thread().name}


@pytest.mark.parametrize(
    ("resolution", "workers", "most"), [(8192, 2, 4), (8192, 8, 8), (16384, 1, 1), (16384, 2, 2), (16, 2, 16)]
)
def test_no_more_is_loaded_ahead_than_fits_but_no_thread_waits(resolution: int, workers: int, most: int) -> None:
    images = Slow(_numbered)
    with closing(load_ahead(images, ENTRIES, resolution, workers)) as loading:
        for taken in range(1, 6):
            next(loading)
            assert _settle(images) == taken + most
    assert most * 3 * resolution**2 <= max(MAX_BYTES, workers * 3 * resolution**2)


def test_small_images_at_a_large_resolution_count_as_what_they_are() -> None:
    images = Slow(lambda name, _: np.zeros((4, 4, 3), np.uint8))
    with closing(load_ahead(images, ENTRIES, 8192, 2)) as loading:
        for _ in range(8):
            next(loading)
            settled = _settle(images)
    assert settled >= 8 + 8


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_comes_as_a_value(workers: int) -> None:
    def make(name: str, resolution: int) -> NDArray[np.uint8]:
        if name == "1":
            raise ImageError("cannot read image '1': damaged")
        return _numbered(name, resolution)

    loaded = [pixels for _, pixels in load_ahead(Slow(make), ENTRIES, 2, workers)]
    assert [index for index, pixels in enumerate(loaded) if isinstance(pixels, ImageError)] == [1]
    assert str(loaded[1]) == "cannot read image '1': damaged"
    assert len(loaded) == 40


@pytest.mark.parametrize("workers", [0, 2])
def test_any_other_error_is_raised_at_its_image(workers: int) -> None:
    def make(name: str, resolution: int) -> NDArray[np.uint8]:
        if name == "3":
            raise KeyError("a defect")
        return _numbered(name, resolution)

    seen: list[str] = []
    with pytest.raises(KeyError, match="a defect"):
        seen.extend(entry.name for entry, _ in load_ahead(Slow(make), ENTRIES, 2, workers))
    assert seen == ["0", "1", "2"]
    assert _workers_alive() == []


@pytest.mark.parametrize("ending", ["stops", "raises", "forgets"])
def test_no_thread_is_left_when_the_consumer_ends_early(ending: str) -> None:
    images = Slow(_numbered)
    loading = load_ahead(images, ENTRIES, 2, 2)
    next(loading)
    if ending == "raises":
        with pytest.raises(ValueError, match="enough"), closing(loading):
            raise ValueError("enough")
    elif ending == "stops":
        loading.close()
    else:
        del loading
    assert _workers_alive() == []
    assert len(images.started) < len(ENTRIES)
