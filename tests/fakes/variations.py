"""Invented records of what a window, and fewer blocks, cost a ViTok."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.records import write_measured
from vitok_lib.records.store import read_record, write_record

VITOK, ARCHITECTURE = "nano-f16x64", "w192_d2_h3-w192_d4_h3/1x16x64"
CHANGES = {
    "window": {"4": [-0.2, -0.4, -0.3], "2d:1": [-0.1, -0.2, -0.3], "40": [0.1, -0.1, 0.0]},
    "blocks": {"0/4": [-0.1, -0.2, -0.3], "2/3": [-1.0, -2.0, -3.0], "0/0": [-5.0, -5.5, -6.0]},
}
"""What each choice adds to the PSNR of three images, in dB."""


def write_variations(results: Path, setting: str, benchmark: str) -> None:
    columns = {f"difference@{setting}={choice}": each for choice, each in CHANGES[setting].items()}
    path = write_measured(results, "cpu", VITOK, f"{benchmark}-512", {"whole_psnr": [29.0, 30.0, 31.0], **columns})
    written = read_record(path)
    identity = written.tokenizer.model_copy(update={"variant": ARCHITECTURE})
    write_record(written.model_copy(update={"tokenizer": identity}), path)
