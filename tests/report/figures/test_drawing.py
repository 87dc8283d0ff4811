"""Looks of tokenizers: one colour a tokenizer in whatever figure, and no two lines of a figure alike."""

from __future__ import annotations

import pytest

from vitok_lib.report.figures.drawing import looks, tokenizer_of
from vitok_lib.tokenizers.registry import REGISTRY

CLONE = [name for name, entry in REGISTRY.items() if entry.sha256 is not None]


@pytest.mark.parametrize(
    ("name", "tokenizer"),
    [
        ("5B-f16x64", "5B-f16x64"),
        ("5B-f16x64 (window=64)", "5B-f16x64"),
        ("5B-f16x64, fast, radius 64", "5B-f16x64"),
        ("jpeg:q=75", "jpeg"),
        ("jxl:bpp=1", "jxl"),
        ("diffusers:OWNER/NAME", "diffusers:OWNER/NAME"),
        ("block_dct:make_tokenizer", "block_dct:make_tokenizer"),
    ],
)
def test_the_tokenizer_of_a_line(name: str, tokenizer: str) -> None:
    assert tokenizer_of(name) == tokenizer


def test_a_tokenizer_has_its_colour_whatever_stands_beside_it() -> None:
    every = looks(REGISTRY)
    for name in (*REGISTRY, "some_package:make"):
        alone = looks([name])[name]
        assert looks(["unheard-of", *reversed(list(REGISTRY)), name])[name]["color"] == alone["color"]
        assert name not in every or every[name] == alone
        assert looks([f"{name}, fast"])[f"{name}, fast"]["color"] == alone["color"]


def test_what_a_clone_measures_differs_in_colour() -> None:
    assert len({look["color"] for look in looks(CLONE).values()}) == len(CLONE)


def test_known_tokenizers_differ_in_colour_or_marker() -> None:
    pairs = [(look["color"], look["marker"]) for look in looks(REGISTRY).values()]
    assert len(set(pairs)) == len(pairs)


def test_settings_of_one_tokenizer_differ_in_marker_and_line() -> None:
    styles = looks([f"5B-f16x64, {path}" for path in ("reference", "folded", "fast", "fp8")])
    assert len({style["color"] for style in styles.values()}) == 1
    assert len({style["marker"] for style in styles.values()}) == len({s["linestyle"] for s in styles.values()}) == 4
