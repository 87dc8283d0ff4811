"""Random images: what they hold, and that they lie in memory as those of an evaluation do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitok_lib.measure.common.random_images import noise, noise_identity
from vitok_lib.measure.quality.metric_suite import as_tensor
from vitok_lib.metrics.pixel import from_uint8


@pytest.mark.parametrize("batch", [1, 3])
def test_random_images_lie_in_memory_as_those_of_files(batch: int) -> None:
    pixels = [np.zeros((20, 30, 3), np.uint8) for _ in range(batch)]
    evaluated = from_uint8(as_tensor(pixels))  # what an evaluation encodes
    images = next(noise(batch, 20, 30, "cpu"))
    assert images.shape == evaluated.shape
    assert images.stride() == evaluated.stride()
    assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_cast_keeps_the_layout(dtype: str) -> None:
    images = next(noise(2, 20, 30, "cpu"))
    assert images.to(getattr(torch, dtype)).stride() == images.stride()


def test_random_images_are_uniform_fresh_and_the_same_again() -> None:
    images, again = noise(1, 64, 48, "cpu"), noise(1, 64, 48, "cpu")
    first, second = next(images), next(images)
    assert first.dtype == torch.float32
    assert -1 <= float(first.min()) < -0.99
    assert 0.99 < float(first.max()) < 1
    assert abs(float(first.mean())) < 0.02
    assert float(first.var()) == pytest.approx(1 / 3, rel=0.05)
    assert not first.equal(second)
    assert next(again).equal(first)
    assert next(again).equal(second)


def test_images_that_did_not_fit_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    images, empty = noise(1, 8, 8, "cpu"), torch.empty

    def full(*arguments: object, **options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "empty", full)
    with pytest.raises(torch.OutOfMemoryError):
        next(images)
    monkeypatch.setattr(torch, "empty", empty)
    assert next(images).shape == (1, 3, 8, 8)


def test_a_record_names_the_layout() -> None:
    assert noise_identity(2, 8, 8).description.endswith("channels last in memory")
