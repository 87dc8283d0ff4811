"""Damaged files give pixels or one line; the benchmark that says so is run on a few."""

from __future__ import annotations

import json
import subprocess
import sys

from vitok_lib.project import ROOT

COUNT = 75


def test_a_damaged_file_or_archive_gives_pixels_or_an_error_of_one_line() -> None:
    benchmark = [sys.executable, "-W", "error", str(ROOT / "benchmarks" / "mutated_images.py"), str(COUNT)]
    done = subprocess.run(benchmark, check=True, capture_output=True, text=True, timeout=60)
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["traceback"] == counts["hang"] == counts["other"] == 0, done.stdout
    assert counts["pixels"] + counts["named_error"] == COUNT
    assert min(counts["pixels"], counts["named_error"]) >= 5  # both ways of reading are put to the test
    assert counts["slowest_s"] < 10
    archives = counts["archives"]
    assert archives["lost"] == archives["traceback"] == archives["hang"] == archives["other"] == 0, done.stdout
    assert min(archives["measured"], archives["named_error"], archives["refused"]) >= 5
