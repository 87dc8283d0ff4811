"""Text read before and after a tokenizer: the gate, the scores, and what `vitok eval` makes of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.images.drawn import TextLine
from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.quality.lines import mean_score, read_lines

LINES = tuple(
    TextLine(text, (8 * place, 0, 8 * place + 8, 4), 4) for place, text in enumerate(("abcd", "efgh", "ijkl"))
)


def _page(*levels: int) -> NDArray[np.uint8]:
    return np.repeat(np.array(levels, np.uint8), 8)[None, :, None].repeat(4, 0).repeat(3, 2)


def _read(texts: dict[int, str]) -> object:
    """A recogniser that knows a box by the level that fills it."""

    def read(line: NDArray[np.uint8]) -> str:
        assert line.shape == (4, 8, 3)
        (level,) = np.unique(line)
        return texts[int(level)]

    return read


def test_only_lines_that_are_read_rightly_in_the_original_count() -> None:
    """Of three lines one is misread before; of the two that count one loses a quarter of its characters."""
    texts = {1: "abcd", 2: "efgh", 3: "wrong", 4: "abcd", 5: "efg", 6: "ijkl"}
    found = read_lines(_page(1, 2, 3), _page(4, 5, 6), LINES, _read(texts))  # type: ignore[arg-type]
    assert [each.counts for each in found] == [True, True, False]
    assert mean_score("ned", found) == 1 / 8
    assert mean_score("exact-match", found) == 1 / 2


def test_where_no_line_counts_there_is_no_score() -> None:
    found = read_lines(_page(1, 1, 1), _page(1, 1, 1), LINES, lambda _: "")
    assert math.isnan(mean_score("ned", found))
    assert math.isnan(mean_score("ned", []))


def test_a_set_without_known_text_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(RequestError, match="metric 'ned' needs the true text of the lines, which image set 'photos'"):
        evaluate("pca-f16x64", images="photos", resolution=64, metrics=["ned"])


@pytest.fixture(scope="module")
def recogniser() -> None:
    for package in ("rapidocr", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} comes with the extra 'text'")


@pytest.mark.usefixtures("recogniser")
def test_a_faithful_reconstruction_keeps_every_line_and_a_blank_one_none(tmp_path: Path) -> None:
    images = open_image_set("text")
    for name in images.names()[:2]:
        for folder, pixels in (("same", images.load(name, 192)), ("blank", np.full((192, 192, 3), 128, np.uint8))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    asked = {"images": images, "resolution": 192, "samples": 2, "metrics": ["ned", "exact-match"]}
    values = {}
    for folder in ("same", "blank"):
        record = evaluate(f"folder:{tmp_path / folder}", **asked)  # type: ignore[arg-type]
        values[folder] = {value.quantity: (value.value, value.n) for value in record.values}
    assert values == {"same": {"ned": (0, 2), "exact-match": (1, 2)}, "blank": {"ned": (1, 2), "exact-match": (0, 2)}}


@pytest.mark.usefixtures("recogniser")
def test_stronger_compression_loses_more_text() -> None:
    distances = []
    for quality in (90, 10, 1):
        record = evaluate(f"jpeg:q={quality}", images="text", resolution=160, samples=3, metrics=["ned"])
        (value,) = record.values
        assert value.signature is not None
        assert value.signature.startswith("ned|pp-ocrv6-rec-small:")
        distances.append(value.value)
    assert distances[0] < 0.05 < distances[2]
    assert distances == sorted(distances)
