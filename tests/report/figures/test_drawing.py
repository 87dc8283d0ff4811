"""Looks of tokenizers: one colour a tokenizer in whatever figure, and no two lines of a figure alike."""

from __future__ import annotations

import pytest

from vitok_lib.report.figures.drawing import family_of, looks, tokenizer_of
from vitok_lib.tokenizers.registry import REGISTRY


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


def test_a_family_has_one_colour_of_its_own() -> None:
    colours: dict[str, set[str]] = {}
    for name, entry in REGISTRY.items():
        colours.setdefault(entry.family, set()).add(looks([name])[name]["color"])
    assert all(len(held) == 1 for held in colours.values())
    assert len(set.union(*colours.values())) == len(colours)


@pytest.mark.parametrize(
    ("name", "family"),
    [("Td4-T/1x16x64", "vitok"), ("diffusers:OWNER/NAME", "diffusers"), ("jpeg:q=75", "codec"), ("a:b", "plugin")],
)
def test_what_the_registry_does_not_list_has_a_family_too(name: str, family: str) -> None:
    assert family_of(tokenizer_of(name)) == family


def test_those_of_a_family_differ_in_marker() -> None:
    markers: dict[str, list[str]] = {}
    for name, entry in REGISTRY.items():
        markers.setdefault(entry.family, []).append(looks([name])[name]["marker"])
    assert all(len(set(held)) == len(held) for held in markers.values())


def test_settings_of_one_tokenizer_differ_in_marker_and_line() -> None:
    styles = looks([f"5B-f16x64, {path}" for path in ("reference", "folded", "fast", "fp8")])
    assert len({style["color"] for style in styles.values()}) == 1
    assert len({style["marker"] for style in styles.values()}) == len({s["linestyle"] for s in styles.values()}) == 4
