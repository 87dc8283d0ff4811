"""Named paths: what they spell out, for whom they are, and that the loader takes it."""

from __future__ import annotations

import inspect

import pytest

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.measure.common.random_images import noise, noise_identity
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.presets import PRESETS, find_preset

GPU = {"device": "cuda:0", "dtype": "bfloat16"}
CPU = {"device": "cpu", "dtype": "float32"}


@pytest.mark.parametrize(
    ("path", "where", "window", "expected"),
    [
        ("reference", GPU, 64, {"chunk": 0, "attention": "varlen"}),
        ("reference", GPU, None, {"chunk": 0, "attention": "flash"}),
        ("reference", GPU | {"dtype": "float16", "device": "cuda"}, None, {"chunk": 0, "attention": "flash"}),
        ("reference", GPU | {"dtype": "float32"}, None, {"chunk": 0, "attention": "sdpa"}),
        ("reference", GPU | {"dtype": "float32"}, 64, {"chunk": 0, "attention": "bands"}),
        ("reference", CPU, 64, {"chunk": 0, "attention": "bands"}),
        ("dense", GPU, 64, {"chunk": 0, "attention": "mask"}),
        ("compiled", CPU, None, {"chunk": 0, "attention": "sdpa", "compile": "default"}),
        ("folded", GPU, 64, {"folded": True}),
        ("fast", GPU, 64, {"folded": True, "compile": "default", "graphs": True}),
        ("fast", CPU, 64, {"folded": True, "compile": "default"}),
        ("fp8", GPU, None, {"folded": True, "compile": "default", "graphs": True, "precision": "fp8"}),
    ],
)
def test_a_path_spells_out_arguments(path, where, window, expected) -> None:
    assert PRESETS[path].arguments("vitok", window=window, **where) == expected


def test_the_loader_takes_every_argument_of_a_path() -> None:
    known = inspect.signature(load_tokenizer).parameters
    for path in PRESETS.values():
        for where in (GPU, CPU):
            assert set(path.arguments("vitok", window=64, **where)) <= set(known)


@pytest.mark.parametrize("path", ["reference", "dense", "folded"])
def test_a_tokenizer_loads_on_a_path(path: str) -> None:
    arguments = PRESETS[path].arguments("vitok", window=3, **CPU)
    tokenizer = load_tokenizer("w32_d2_h2/8x6", weights="random", window=3, **arguments)
    kept = tokenizer.settings.model_dump()
    assert {name: kept[name] for name in arguments} == arguments


def test_other_tokenizers_know_the_reference_alone() -> None:
    assert PRESETS["reference"].arguments("kl", window=None, **CPU) == {}
    for name in set(PRESETS) - {"reference"}:
        with pytest.raises(UnsupportedError, match=f"'{name}' is made for ViTok"):
            PRESETS[name].arguments("kl", window=None, **CPU)


def test_a_mask_needs_a_window() -> None:
    with pytest.raises(UnsupportedError, match="no window was asked for"):
        PRESETS["dense"].arguments("vitok", window=None, **CPU)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown preset 'referense'; did you mean reference"):
        find_preset("referense")


def test_noise_is_uniform_and_fresh_and_the_same_again() -> None:
    images = noise(2, 30, 50, "cpu")
    first, second = next(images), next(images)
    assert first.shape == (2, 3, 30, 50)
    assert -1 <= first.min() < -0.99
    assert 0.99 < first.max() < 1
    assert abs(first.mean()) < 0.05
    assert abs(first.var() - 1 / 3) < 0.02  # of a uniform density on [-1, 1]
    assert (first != second).float().mean() > 0.99
    assert next(noise(2, 30, 50, "cpu")).equal(first)


def test_the_identity_of_noise_tells_its_size() -> None:
    assert noise_identity(4, 30, 50).rule == "30x50 px as drawn"
