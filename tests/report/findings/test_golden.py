"""One page of findings over invented records, word for word: every other test holds numbers and evidence levels.

``tests/golden/findings.txt`` is the page. A changed template changes it: read the difference, and write it again on
purpose by ``python -m tests.report.findings.test_golden``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.fakes.machines import write_all_machines
from tests.fakes.reading import text_of
from tests.fakes.records import RATES, write_all, write_colours
from vitok_lib.published.study import write_published
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import memory, padding, planning, quality, rate, speed, window

GOLDEN = Path(__file__).parents[2] / "golden" / "findings.txt"


def page(results: Path) -> str:
    """The findings on invented records that are written to ``results``."""
    write_all(results)
    write_colours(results)
    write_all_machines(results)
    write_published()
    entries = load()
    found = {
        "best": quality.best_measured(entries, "photos-512", "psnr"),
        "baseline": quality.distance_to_baseline(entries, "photos-512", "psnr"),
        "published": quality.published_bests(entries, "div8k-1024", "psnr"),
        "bias": quality.bias_with_n(entries, "photos-512", "fd-random"),
        "counts": quality.value_counts(entries),
        "against-codec": rate.against_codec(entries, RATES),
        "padding": padding.paddings(entries, "padding-512"),
        "images-needed": planning.images_to_tell_apart(entries, "photos-512", "psnr"),
        "told-apart": planning.distances_told_apart(entries, "how-many-random-256"),
        **{name: make(entries) for name, make in (window.FINDINGS | speed.FINDINGS | memory.FINDINGS).items()},
    }
    lines = [line for name, made in found.items() for line in (f"## {name}", *map(text_of, made), "")]
    return "\n".join(lines)


def test_the_page_of_findings_reads_as_it_was_kept(results: Path) -> None:
    assert page(results) == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VITOK_RESULTS"] = folder
        GOLDEN.write_text(page(Path(folder)), encoding="utf-8")
