"""The scripts that pages of text are written in: what a line says, in which fonts, and how high its letters are.

Latin's fonts are read from matplotlib's installed package, and its words are those of the challenge image ``text``.
Chinese has fonts of its own in the folder ``fonts``, which hold the characters of the sentences here and no others.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitok_lib.errors import RequestError
from vitok_lib.images.challenge.text import WORDS

LATIN_FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSansMono.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralItalic.ttf",
)
"""All under free licences, LICENSE_DEJAVU and LICENSE_STIX, which lie next to them."""
HAN_FONTS = ("sans.otf", "sans-bold.otf", "serif.otf")
"""Cut from Noto CJK under the SIL Open Font License; ``fonts/README.md`` says how."""
_LETTERS = range(3, 6)  # of a word
_SHORT_WORDS = tuple(
    sorted({word for word in (each.strip("“”,.?!:;()") for each in WORDS) if word.isalpha() and len(word) in _LETTERS})
)
_WHO = (
    *("爷爷", "奶奶", "爸爸", "妈妈", "哥哥", "姐姐", "弟弟", "妹妹", "老师", "学生"),
    *("医生", "护士", "警察", "司机", "农民", "画家", "邻居", "朋友", "孩子", "客人"),
)
_WHERE = (
    *("桥上", "河边", "海边", "山顶", "树下", "门口", "窗前", "车站", "公园", "学校"),
    *("医院", "商店", "厨房", "花园", "城里", "湖畔", "田间", "机场", "剧院", "饭馆"),
)
_DOES = (
    *("看书", "唱歌", "跳舞", "喝茶", "吃饭", "游泳", "睡觉", "画画", "写信", "聊天"),
    *("散步", "等车", "买菜", "种花", "钓鱼", "拍照", "骑马", "下棋", "弹琴", "扫地"),
)
HAN_CHARACTERS = "".join(sorted({*"在", *"".join((*_WHO, *_WHERE, *_DOES))}))
"""All that a Chinese line can hold, so what the fonts have to have."""


@dataclass(frozen=True)
class Script:
    """A script, the files of its ``fonts``, and a line of it in each call of ``write``.

    ``full`` is a letter of the height that a line is said to have, and ``letters`` what such letters are called.
    """

    name: str
    letters: str
    full: str
    fonts: Callable[[], tuple[Path, ...]]
    write: Callable[[np.random.Generator], str]


def _latin_fonts() -> tuple[Path, ...]:
    """Those of ``LATIN_FONTS``; RequestError where matplotlib is not installed."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise RequestError(
            "image set 'text' needs the fonts in matplotlib's package, which is not installed; "
            "pip install 'vitok-lib[text]'",
            code="images-not-found",
        )
    return tuple(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / font for font in LATIN_FONTS)


def _han_fonts() -> tuple[Path, ...]:
    return tuple(Path(__file__).parent / "fonts" / font for font in HAN_FONTS)


def _word_and_number(rng: np.random.Generator) -> str:
    return f"{_SHORT_WORDS[rng.integers(len(_SHORT_WORDS))]} {rng.integers(100, 1000)}"


def _who_is_where_and_does_what(rng: np.random.Generator) -> str:
    """Such as 姐姐在湖畔骑马, my sister rides by the lake; no part of it follows from another."""
    who, where, does = (each[rng.integers(len(each))] for each in (_WHO, _WHERE, _DOES))
    return f"{who}在{where}{does}"


LATIN = Script("Latin", "capitals", "H", _latin_fonts, _word_and_number)
HAN = Script("Han", "characters", "园", _han_fonts, _who_is_where_and_does_what)
SCRIPTS: Mapping[str, Script] = {"text": LATIN, "han": HAN}
"""By the image set whose pages are written in it."""
