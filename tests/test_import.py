"""The public surface: every name is there, loads what it needs when first used, and no other name is."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vitok_lib

CONTRACT = {
    "Latent",
    "Record",
    "RequestError",
    "Tokenizer",
    "TokenizerSpec",
    "describe",
    "evaluate",
    "load_tokenizer",
    "open_image_set",
    "read_records",
}


def test_the_contract_is_public() -> None:
    assert set(vitok_lib.__all__) >= CONTRACT


@pytest.mark.parametrize("name", vitok_lib.__all__)
def test_a_public_name_is_the_object_of_that_name(name: str) -> None:
    assert getattr(vitok_lib, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'load_tokeniser'"):
        _ = vitok_lib.load_tokeniser


def test_a_wrong_request_is_a_value_error() -> None:
    assert issubclass(vitok_lib.RequestError, ValueError)


@pytest.mark.parametrize(
    "use",
    ["describe('5B-f16x64')", "read_records()", "open_image_set('photos').names()", "RequestError"],
    ids=["describe", "records", "images", "error"],
)
def test_what_computes_nothing_needs_no_torch(use: str) -> None:
    code = f"import sys, vitok_lib as vl; vl.{use}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
