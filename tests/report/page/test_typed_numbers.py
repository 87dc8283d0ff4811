"""Results that somebody typed into a page: what is one, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitok_lib.report.page.typed_numbers import typed_results

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "text",
    [
        "It reaches 36.67 dB.",
        "It reaches 36 dB.",
        "It takes 1,205 ms an image.",
        "It takes 12\N{NO-BREAK SPACE}s.",
        "0.46 img/s",
        "A peak of 40 GiB.",
        "It is 13.7 times as fast.",
        "It is 2× as fast.",
        "Faster by 11 %.",
        "It takes 3 PFLOP.",
        "```{note}\nIt reaches 36.67.\n```",
        ":::{note}\nIt reaches 36.67.\n:::",
        "| PSNR | 33.99 |",
    ],
)
def test_a_typed_result_is_seen(text: str) -> None:
    assert typed_results(f"# Title\n\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "Images of 8192 px, cut to 299 × 299 px.",
        "A window of 11 × 11 with σ 1.5, over 5,000 images.",
        "Equal images count as 100 dB; intervals are 95 %.",
        "It is {value}`photos-512/nano-f16x64:psnr`, see `jpeg:q=75.5`.",
        "```{quality-table} div8k-1024\n:quantities: 36.67\n```",
        "```bash\nvitok eval --time-limit 3.5 s\n```",
        "[methods](page-1.5.md) and <img src=1.5.png>",
        "Heusel et al. 2017, DINOv3, f16x64, at 16 bits a value.",
        "<!-- 36.67 dB -->",
    ],
)
def test_what_is_no_result_is_passed_over(text: str) -> None:
    assert typed_results(f"# Title\n\n{text}\n") == []


def test_a_typed_result_comes_with_its_line() -> None:
    page = "# Title\n\n```bash\n1.5\n```\n\nIt is 3.25 dB and\nthen 7 ms.\n"
    assert [(found.line, found.text) for found in typed_results(page)] == [(7, "3.25 dB"), (8, "7 ms")]


def test_the_pages_of_the_book_type_no_result() -> None:
    for page in sorted((PROJECT / "book").glob("*.md")):
        assert typed_results(page.read_text(encoding="utf-8")) == [], page.name
