"""The scripts of text pages: what their lines say, and that the fonts have every character of it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from vitok_lib.images.scripts import HAN, HAN_CHARACTERS, LATIN, Script

LINES = 2000


def _lines(script: Script) -> list[str]:
    rng = np.random.default_rng(5)
    return [script.write(rng) for _ in range(LINES)]


@pytest.mark.parametrize("script", [LATIN, HAN], ids=lambda script: script.name)
def test_every_font_has_a_glyph_of_every_character(script: Script) -> None:
    tables = pytest.importorskip("fontTools.ttLib", reason="fonttools comes with matplotlib")
    drawn = {ord(character) for character in script.full + "".join(_lines(script))}
    for file in script.fonts():
        with tables.TTFont(file) as font:
            assert drawn <= set(font.getBestCmap()), file.name


@pytest.mark.parametrize("file", HAN.fonts(), ids=lambda file: file.stem)
def test_each_chinese_character_looks_like_no_other_and_not_like_a_missing_one(file: Path) -> None:
    font = ImageFont.truetype(str(file), 32)

    def ink(character: str) -> bytes:
        image = Image.new("L", (48, 48))
        ImageDraw.Draw(image).text((8, 40), character, fill=255, font=font, anchor="ls")
        return image.tobytes()

    missing = "龘"
    assert missing not in HAN_CHARACTERS
    assert len({*map(ink, missing + HAN_CHARACTERS)}) == 1 + len(HAN_CHARACTERS)


def test_chinese_lines_say_who_is_where_and_does_what() -> None:
    lines = _lines(HAN)
    assert all(re.fullmatch("..在....", line) for line in lines)
    assert {*"".join(lines)} == {*HAN_CHARACTERS}
    assert all(unicodedata.name(character).startswith("CJK UNIFIED IDEOGRAPH") for character in HAN_CHARACTERS)
    assert len({*lines}) > 0.8 * LINES
    assert [len({line[part] for line in lines}) for part in (slice(2), slice(3, 5), slice(5, 7))] == [20, 20, 20]


def test_latin_lines_have_a_word_and_a_number() -> None:
    assert all(re.fullmatch("[A-Za-z]{3,5} [1-9][0-9]{2}", line) for line in _lines(LATIN))


def test_the_licence_lies_beside_the_fonts_that_it_covers() -> None:
    folder = HAN.fonts()[0].parent
    assert {*HAN.fonts()} == {*folder.glob("*.otf")}
    text = (folder / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in text
    for file in HAN.fonts():
        assert file.name in text
        assert file.stat().st_size < 50_000
