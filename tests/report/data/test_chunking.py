"""Chunks of tokens, against counts of tokens and the defaults of the model itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.machines import write_machine
from vitok_lib.report.data import chunking
from vitok_lib.report.data.record_view import load

VITOK = "nano-f16x64"


@pytest.mark.parametrize(
    ("name", "resolution", "settings", "fills", "words"),
    [
        (VITOK, 2048, {}, False, "16,384 tokens at once"),  # 128 × 128 tokens
        (VITOK, 2064, {}, True, "16,384 tokens at once"),
        (VITOK, 2048, {"batch": 2}, True, "16,384 tokens at once"),
        (VITOK, 2048, {"chunk": 0}, False, "all tokens at once"),
        (VITOK, 2064, {"chunk": 0}, True, "all tokens at once"),
        (VITOK, 512, {"chunk": 256}, True, "256 tokens at once"),
        (VITOK, 2064, {"choices": {"chunk": "65536: enough to fill a GPU"}}, False, "65,536 tokens at once"),
        (VITOK, 2064, {"gpu": "Invented GPU"}, False, "65,536 tokens at once"),
        ("nano-kl-f8x16", 4096, {}, False, ""),
    ],
)
def test_an_image_fills_a_chunk_with_more_tokens_than_it_takes(
    results: Path, name: str, resolution: int, settings: dict[str, Any], fills: bool, words: str
) -> None:
    write_machine(results, "memory", resolution, name, {"model_peak": 1.0}, **{"gpu": None, **settings})
    (entry,) = load()
    assert (chunking.fills_a_chunk(entry), chunking.chunk_text(entry)) == (fills, words)
