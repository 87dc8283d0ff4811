"""The recogniser of lines: it reads what is written, each line by itself, and says what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vitok_lib.errors import RequestError
from vitok_lib.images.scripts import HAN, LATIN
from vitok_lib.metrics.networks.pins import PINS
from vitok_lib.metrics.text import recogniser
from vitok_lib.metrics.text.recogniser import NAME, Read, check_recogniser, load_recogniser

WORDS = ("Rabbit 407", "Alice", "31415", "Dear me")


@pytest.fixture(scope="module")
def read() -> Read:
    for package in ("rapidocr", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} comes with the extra 'text'")
    return load_recogniser()


def _line(
    text: str,
    ink: int = 20,
    ground: int = 240,
    size: float = 24,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont | None = None,
) -> NDArray[np.uint8]:
    font = font or ImageFont.load_default(size)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text, anchor="ls"))
    image = Image.new("RGB", (right - left + 12, bottom - top + 12), (ground,) * 3)
    ImageDraw.Draw(image).text((6 - left, 6 - top), text, fill=(ink,) * 3, font=font, anchor="ls")
    return np.asarray(image)


@pytest.mark.parametrize("text", WORDS)
def test_it_reads_what_is_written_dark_on_light_and_light_on_dark(read: Read, text: str) -> None:
    assert read(_line(text)) == text
    assert read(_line(text, ink=230, ground=30)) == text


@pytest.mark.parametrize("font", HAN.fonts(), ids=lambda font: font.stem)
def test_it_reads_large_chinese_lines(read: Read, font: Path) -> None:
    large = ImageFont.truetype(str(font), 40)
    for seed in range(4):
        text = HAN.write(np.random.default_rng(seed))
        assert read(_line(text, font=large)) == text


def test_it_reads_nothing_where_nothing_is(read: Read) -> None:
    assert read(np.full((40, 160, 3), 200, np.uint8)) == ""


@pytest.mark.parametrize(
    ("words", "most"),
    [("вода огонь книга слово дорога", 0), ("λογος νερο ψωμι ξυλο δρομος ΝΕΡΟ ΨΩΜΙ ΔΡΟΜΟΣ", 3)],
    ids=["Cyrillic", "Greek"],
)
def test_scripts_that_no_text_page_has_are_misread_in_the_original(read: Read, words: str, most: int) -> None:
    """The text pages have Latin and Han: of what is misread before any tokenizer too few lines would count."""
    font = ImageFont.truetype(str(LATIN.fonts()[0]), 33)
    lines = [(word, read(_line(word, font=font))) for word in words.split()]
    assert sum(found == word for word, found in lines) <= most


def test_a_line_is_read_the_same_after_others_and_by_another_recogniser(read: Read) -> None:
    lines = [_line(text, size=9) for text in WORDS]
    assert [read(line) for line in lines] == [*map(recogniser._loaded.__wrapped__(), lines[::-1])][::-1]


@pytest.mark.usefixtures("read")
def test_the_recogniser_gets_the_colours_that_it_would_read_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import rapidocr
    from rapidocr.utils.load_image import LoadImage

    given: list[NDArray[np.uint8]] = []

    class Engine:
        def __init__(self, params: object) -> None:
            pass

        def __call__(self, line: NDArray[np.uint8], **options: bool) -> SimpleNamespace:
            given.append(line)
            return SimpleNamespace(txts=("Alice",))

    monkeypatch.setattr(rapidocr, "RapidOCR", Engine)
    line = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(line).save(tmp_path / "line.png")
    assert recogniser._loaded.__wrapped__()(line) == "Alice"
    np.testing.assert_array_equal(given, [LoadImage()(tmp_path / "line.png")])


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_a_missing_package_is_one_sentence(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        RequestError, match=rf"needs the package {package}, .*; pip install 'vitok-lib\[text\]'"
    ) as found:
        check_recogniser()
    assert found.value.code == "missing-package"


def test_other_weights_are_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PINS, NAME, dict.fromkeys(PINS[NAME], "0" * 64))
    with pytest.raises(RequestError, match=r"holds other weights than 'pp-ocrv6-rec-small'.*install rapidocr 3\.10"):
        load_recogniser()
