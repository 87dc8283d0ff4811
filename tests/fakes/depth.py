"""Invented records of trained depths."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.records import write_measured
from vitok_lib.records.schema import Kind, Value
from vitok_lib.records.store import read_record, write_record

BY_SEED = {
    "2/2": [30.0, 30.2, 30.1],
    "2/4": [30.5, 30.9, 30.7],
    "4/2": [30.4, 30.6, 30.8],
    "2/8": [29.0, 29.9, 29.3],
}
"""The PSNR of each seed, in dB, the mean of two images."""
START = [29.5, 29.9, 29.6]
"""That of each seed before the first step."""


def write_depths(results: Path, study: str = "cpu", budget: float = 1.0) -> None:
    for blocks, by_seed in BY_SEED.items():
        encoder, decoder = blocks.split("/")
        variant = f"w64_d{encoder}_h2-w64_d{decoder}_h2/1x8x16"
        samples = {
            f"{name}@seed={seed}": [value - 1, value + 1]
            for name, values in (("psnr", by_seed), ("psnr_at_start", START))
            for seed, value in enumerate(values)
        }
        settings = f"depth={encoder}.{decoder}"  # so that each has a file of its own
        path = write_measured(results, study, "nano-f16x64", "trained-depth-256", samples, settings=settings)
        written = read_record(path)
        totals = (
            Value(quantity="training_budget", value=budget, unit="TFLOP", kind=Kind.DERIVED),
            Value(quantity="training_flops", value=budget * 0.999, unit="TFLOP", kind=Kind.DERIVED),
            Value(quantity="training_steps", value=1000 / (int(encoder) + int(decoder)), unit="", kind=Kind.DERIVED),
        )
        identity = written.tokenizer.model_copy(update={"name": variant, "variant": variant, "parameters": 1000})
        write_record(written.model_copy(update={"tokenizer": identity, "values": (*written.values, *totals)}), path)
