"""Where the time of an evaluation goes: seconds of each stage, and the one that takes most."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

WAITING, TOKENIZER = "waiting for images", "encoding and decoding"
METRICS, FEATURES = "metrics of images", "features for distances"
WORTH_SAYING = 10.0
"""Seconds below which nobody asks what a run waits for."""
Item = TypeVar("Item")


class Stages:
    """Seconds by stage, in the order in which they were first met; of several workers, those of all together.

    The results of each stage are read by the next, so that what a GPU does counts where it was asked for.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.add({stage: time.monotonic() - began})

    def waiting(self, items: Iterable[Item]) -> Iterator[Item]:
        """Each of ``items``; the time until it is there is waited."""
        source = iter(items)
        while True:
            with self.timed(WAITING):
                item = next(source, None)
            if item is None:
                return
            yield item

    def add(self, seconds: Mapping[str, float]) -> None:
        for stage, taken in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + taken

    def take(self) -> dict[str, float]:
        """The seconds so far, which count no further."""
        taken, self.seconds = self.seconds, {}
        return taken

    @property
    def sentence(self) -> str | None:
        """The seconds of each stage and what bounds; None where all together were too short to tell."""
        if sum(self.seconds.values()) < WORTH_SAYING:
            return None
        parts = ", ".join(f"{stage} {taken:.1f} s" for stage, taken in self.seconds.items())
        most = max(self.seconds, key=lambda stage: self.seconds[stage])
        way_out = "; more --workers prepare more images at once" if most == WAITING else ""
        return f"time by stage: {parts}; most goes to {most}{way_out}"
