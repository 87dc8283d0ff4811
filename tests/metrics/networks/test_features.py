"""What every extractor does, shown on the random one: resizing, batches, the network itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import correlate2d
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks import features
from vitok_lib.metrics.networks.extractors import EXTRACTORS
from vitok_lib.metrics.networks.features import load_extractor, resized


def _images(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(height + width)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("size", [(700, 333), (300, 298), (64, 50), (1, 9)], ids=str)
def test_images_are_resized_as_by_pillow_in_floating_point(size: tuple[int, int]) -> None:
    image = _images(1, *size)
    found = resized(image, 299)[0]
    for channel, levels in zip(found, image[0].numpy(), strict=True):
        floating = Image.fromarray(levels.astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC)
        np.testing.assert_allclose(channel.numpy(), np.asarray(floating).clip(0, 255), atol=0.02)


def test_an_image_of_the_right_size_is_left_as_it_is() -> None:
    image = _images(1, 256, 256)
    assert torch.equal(resized(image, 256), image.float())


def test_the_strips_that_bound_the_memory_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    images = _images(2, 400, 300)
    whole = resized(images, 256)
    monkeypatch.setattr(features, "_STRIP_PIXELS", 2 * 300 * 7)
    torch.testing.assert_close(resized(images, 256), whole, atol=1e-3, rtol=0)


def test_the_random_extractor_is_as_the_catalogue_says() -> None:
    extractor = load_extractor("random", "cpu")
    facts = EXTRACTORS["random"]
    assert (extractor.name, extractor.dimensions, extractor.crop_side) == ("random", facts.dimensions, facts.crop_side)
    assert extractor.weights.source == "random:0"
    found = extractor.features(_images(2, 300, 200))
    assert found.shape == (2, facts.dimensions)
    assert found.dtype == np.float32


def test_features_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_BATCH", 3)
    extractor = load_extractor("random", "cpu")
    images = _images(5, 300, 200)
    alone = np.concatenate([extractor.features(image[None]) for image in images])
    np.testing.assert_allclose(extractor.features(images), alone, atol=1e-5)


def test_two_loads_give_the_same_features() -> None:
    images = _images(1, 256, 256)
    first, second = (load_extractor("random", "cpu").features(images) for _ in range(2))
    assert np.array_equal(first, second)


def test_different_images_have_different_features() -> None:
    first, second = load_extractor("random", "cpu").features(_images(2, 256, 256))
    assert np.abs(first - second).max() > 1e-3


def test_the_first_features_are_means_of_rectified_correlations() -> None:
    image = _images(1, 256, 256)
    found = load_extractor("random", "cpu").features(image)[0]
    kernel = np.random.RandomState(0).standard_normal((16, 3, 5, 5)) * np.sqrt(2 / 75)
    levels = np.pad(image[0].numpy() / 127.5 - 1, ((0, 0), (2, 2), (2, 2)))
    for channel in (0, 7, 15):
        maps = sum(correlate2d(levels[colour], kernel[channel, colour], "valid") for colour in range(3))
        assert found[channel] == pytest.approx(maps[::2, ::2].clip(0).mean(), rel=1e-4)


def test_an_unknown_extractor_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown feature extractor 'dinov4'; did you mean dinov"):
        load_extractor("dinov4", "cpu")
