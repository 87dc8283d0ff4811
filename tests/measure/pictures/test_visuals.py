"""Pictures for the viewer: without loss, with the metrics of what they show, and replaced as a whole."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from tests.fakes.images import write_noise
from tests.fakes.patches import Patches
from tests.fakes.tokenizers import Scaling
from vitok_lib.errors import RequestError
from vitok_lib.measure.pictures.visuals import make_visuals
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.store import results_root
from vitok_lib.records.visuals import Rule, Visual, iterate_visuals
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.load import load_tokenizer


class Named(Scaling):
    """A tokenizer of that name that multiplies every value, and may fail at an image of some width."""

    def __init__(self, name: str, factor: float, fails_at: int = 0, error: Exception | None = None) -> None:
        self.name = name
        super().__init__(factor)
        self._fails_at, self._error = fails_at, error

    def encode(self, images: Tensor) -> Latent:
        if images.shape[3] == self._fails_at and self._error is not None:
            raise self._error
        return super().encode(images)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(40, 24 + index) for index in range(3)])


def scaled(pixels: np.ndarray, factor: float) -> np.ndarray:
    return np.rint(((pixels / 127.5 - 1) * factor + 1) * 127.5).astype(np.uint8)


def kept() -> list[tuple[Path, Visual]]:
    return [(path.parent, visual) for path, visual in iterate_visuals()]


def shown(folder: Path, file: str) -> np.ndarray:
    return np.asarray(Image.open(folder / file).convert("RGB"))


def test_pictures_are_the_pixels_of_original_and_reconstruction(folder: Path) -> None:
    make_visuals([Named("half", 0.5), Named("most", 0.9)], images=folder, resolution=64, count=2)
    for index, (place, visual) in enumerate(kept()):
        original = np.asarray(Image.open(folder / f"{index}.png"))
        assert visual.image == f"{index}.png"
        assert np.array_equal(shown(place, visual.originals[0].file), original)
        for made, factor in zip(visual.reconstructions, (0.5, 0.9), strict=True):
            expected = scaled(original, factor)
            assert np.array_equal(shown(place, made.pictures[0].file), expected)
            assert made.values["psnr"] == pytest.approx(peak_signal_noise_ratio(original, expected, data_range=255))
    assert len(kept()) == 2


def test_values_and_identity_of_the_image_are_those_of_the_record(folder: Path) -> None:
    evaluate(Named("half", 0.5), images=folder, resolution=64)
    make_visuals([Named("half", 0.5)], images=folder, resolution=64, count=3)
    rows = pd.read_parquet(next(results_root().rglob("half.parquet"))).set_index("sha256")
    for _, visual in kept():
        row = rows.loc[visual.sha256]
        assert row["image"] == visual.image
        assert visual.reconstructions[0].values == {"psnr": row["psnr"], "ssim": row["ssim"]}


def test_a_large_image_is_kept_as_overview_and_crops_with_their_own_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    original = np.kron(rng.integers(0, 256, (11, 13, 3)), np.ones((100, 100, 1))).astype(np.uint8)
    (tmp_path / "large").mkdir()
    Image.fromarray(original).save(tmp_path / "large" / "a.png")
    (visual,) = make_visuals([Named("half", 0.5)], images=tmp_path / "large", resolution=4096, count=1)
    (place, _), (made,) = kept()[0], visual.reconstructions
    assert [view.rule for view in visual.views] == [Rule.OVERVIEW, Rule.LARGEST_ERROR, Rule.CENTRE]
    assert made.pictures[0].values == {}
    for view, source, picture in list(zip(visual.views, visual.originals, made.pictures, strict=True))[1:]:
        cut = original[view.top : view.top + view.height, view.left : view.left + view.width]
        assert np.array_equal(shown(place, source.file), cut)
        assert np.array_equal(shown(place, picture.file), scaled(cut, 0.5))
        expected = peak_signal_noise_ratio(cut, scaled(cut, 0.5), data_range=255)
        assert picture.values["psnr"] == pytest.approx(expected)


def test_making_them_again_replaces_them_and_leaves_no_other_file(folder: Path) -> None:
    make_visuals([Named("half", 0.5), Named("most", 0.9)], images=folder, resolution=64, count=1)
    make_visuals([Named("half", 0.7)], images=folder, resolution=64, count=1)
    ((place, visual),) = kept()
    (made,) = visual.reconstructions
    named = {visual.originals[0].file, made.pictures[0].file, made.latent.file, "visual.json"}
    assert {path.name for path in place.iterdir()} == named
    assert visual.provenance.command == "vitok run viewer"


def test_a_latent_is_kept_as_a_pixel_for_each_position(folder: Path) -> None:
    make_visuals([Patches(8), load_tokenizer("webp:q=80")], images=folder, resolution=64, count=1)
    ((place, visual),) = kept()
    patches, codec = visual.reconstructions
    assert shown(place, patches.latent.file).shape == (5, 3, 3)
    assert codec.latent is None


def test_a_tokenizer_that_fails_on_an_image_is_left_out_there_with_its_reason(folder: Path) -> None:
    failing = Named("failing", 0.5, fails_at=25, error=MemoryError())
    make_visuals([Named("half", 0.5), failing], images=folder, resolution=64, count=2)
    first, second = (visual for _, visual in kept())
    assert [made.tokenizer.name for made in first.reconstructions] == ["half", "failing"]
    assert [made.tokenizer.name for made in second.reconstructions] == ["half"]
    assert second.left_out == {"failing": "out of memory"}


def test_an_image_that_cannot_be_read_is_passed_over(folder: Path) -> None:
    (folder / "0.png").write_bytes(b"no image")
    visuals = make_visuals([Named("half", 0.5)], images=folder, resolution=64, count=2)
    assert [visual.image for visual in visuals] == ["1.png"]


def test_a_tokenizer_is_let_go_before_the_next_one_is_loaded(folder: Path) -> None:
    gone: list[bool] = []

    def load() -> Iterator[Scaling]:
        for name in ("a", "b"):
            tokenizer = Named(name, 0.5)
            reference = weakref.ref(tokenizer)
            yield tokenizer
            del tokenizer
            gone.append(reference() is None)

    make_visuals(load(), images=folder, resolution=64, count=1)
    assert gone == [True, True]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a", "a"], "tokenizer 'a' is named twice"),
        ([], "no pictures of 'images-[0-9a-f]+': no tokenizer is at hand"),
    ],
    ids=["twice", "none"],
)
def test_a_wrong_request_is_one_sentence_and_nothing_is_kept(names: list[str], sentence: str, folder: Path) -> None:
    with pytest.raises(RequestError, match=sentence):
        make_visuals([Named(name, 0.5) for name in names], images=folder, resolution=64, count=1)
    assert kept() == []


def test_when_no_tokenizer_works_the_reason_is_told(folder: Path) -> None:
    failing = Named("failing", 0.5, fails_at=24, error=RuntimeError("it broke"))
    with pytest.raises(RequestError, match=r"no pictures of 'images-[0-9a-f]+': it broke"):
        make_visuals([failing], images=folder, resolution=64, count=1)
