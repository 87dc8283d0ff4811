"""Text by height in the report: the table, the figure, and from which height on nearly all lines are read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.fakes.records import write_measured, write_text
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import load
from vitok_lib.report.data.text import read_from, text_read
from vitok_lib.report.figures.text import by_height
from vitok_lib.report.findings.text import smallest_height
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.text import ground_table, script_table, text_pairs_table, text_table

CASE, HAN = "text-by-height-512", "text-by-height-han-512"


def test_the_table_has_a_row_a_tokenizer_below_the_lines_that_count(results: Path) -> None:
    write_text(results)
    table = text_table(load(), CASE, "ned")
    assert [head.text for head in table.heads[1]] == ["Tokenizer", "Rate", "6 px", "12 px", "24 px"]
    assert plain(table.rows[0][2]).startswith("5 ")
    assert " of 6" in plain(table.rows[0][2])
    assert [plain(cells[0]) for cells in table.rows[1:]] == ["nano-f16x64", "pca-f16x64", "jpeg:q=75"]
    assert plain(table.rows[3][-2]).startswith("0.15 [")
    assert plain(text_table(load(), CASE, "exact-match").rows[1][2]).startswith("0.60 [")


def test_the_least_height_is_that_from_which_on_no_share_falls_below(results: Path) -> None:
    """Shares of 0.95, 0.5 and 0.95: the first counts for nothing, since a larger line is lost again."""
    shares = {6: 0.95, 12: 0.5, 24: 0.95}
    write_measured(results, "cpu", "jpeg:q=75", CASE, {f"exact-match_{h}": [share] * 2 for h, share in shares.items()})
    (entry,) = load()
    assert read_from(entry, [6, 12, 24], 0.9) == 24
    assert read_from(entry, [6, 12, 24], 0.4) == 6
    assert read_from(entry, [6, 12, 24], 0.99) is None


def test_a_sentence_for_each_tokenizer_gives_height_and_share(results: Path) -> None:
    write_text(results)
    said = [plain(sentence) for sentence in smallest_height(load(), CASE)]
    assert len(said) == 3
    assert "nano-f16x64" in said[0]
    assert "capitals of 24 px on" in said[0]
    assert "0.90" in said[0]
    assert "capitals of 12 px on" in said[2]


def test_a_share_that_falls_at_the_greatest_height_is_said_of_that_height_alone(results: Path) -> None:
    samples: dict[str, list[float]] = {}
    for height, share in {6: 0.95, 12: 0.95, 24: 0.85}.items():
        samples |= {f"ned_{height}": [0.1] * 2, f"exact-match_{height}": [share] * 2}
    write_measured(results, "cpu", "jpeg:q=75", CASE, samples, image_set="text")
    (said,) = map(plain, smallest_height(load(), CASE))
    assert "every height" not in said
    assert "at the greatest height, capitals of 24 px: 0.85" in said


def test_the_figure_says_every_value_in_words(results: Path) -> None:
    write_text(results)
    drawing = by_height(load(), CASE, "ned")
    assert "nano-f16x64 0.60 at 6 px, 0.30 at 12 px, 0.15 at 24 px" in drawing.alternative


def test_by_script_each_has_the_lines_that_count_above_its_tokenizers(results: Path) -> None:
    """Of Chinese no line of 6 px counts, so that there is a count without a score."""
    write_text(results, names=["nano-f16x64", "jpeg:q=75"])
    table = script_table(load(), [CASE, HAN], "exact-match")
    assert [head.text for head in table.heads[1]] == ["Script", "Tokenizer", "6 px", "12 px", "24 px"]
    shown = [[plain(cell) for cell in row] for row in table.rows]
    assert [row[:2] for row in shown] == [
        [script, what] for script in ("Latin", "Han") for what in ("lines that count", "nano-f16x64", "jpeg:q=75")
    ]
    assert table.groups == [3]
    assert [row[2] for row in shown[3:]] == ["0 [0, 0] of 6 [6, 6]", "–", "–"]
    assert shown[3][3].startswith("5 ")
    assert [row[3:] for row in shown[4:]] == [row[3:] for row in shown[1:3]]
    assert shown[1][2].startswith("0.60 [")


def test_a_height_at_which_no_chinese_line_counts_is_in_no_other_table_and_letters_have_their_name(
    results: Path,
) -> None:
    write_text(results)
    table = text_table(load(), HAN, "ned")
    assert [head.text for head in table.heads[1]] == ["Tokenizer", "Rate", "12 px", "24 px"]
    assert table.heads[0][1].text.endswith("characters of")
    said = [plain(sentence) for sentence in smallest_height(load(), HAN)]
    assert "Han lines" in said[0]
    assert "characters of 24 px on" in said[0]
    assert "Latin lines" in plain(smallest_height(load(), CASE)[0])


def test_records_of_other_pages_are_not_mixed_in(results: Path) -> None:
    write_text(results)
    write_measured(results, "local", "webp:q=80", CASE, {"ned_6": [0.1] * 3, "ned_24": [0.1] * 3}, manifest="1" * 64)
    assert [entry.title for entry in text_read(load(), CASE).entries] == ["nano-f16x64", "pca-f16x64", "jpeg:q=75"]


def test_a_ground_has_its_own_counts_and_the_mean_of_its_own_pages(results: Path) -> None:
    worse = {"dark-on-light": 0.1, "on-photograph": 0.5}
    pages = [f"{ground}-{page}" for ground in worse for page in range(2)]
    samples = {
        "bpp": [4.0] * 4,
        "ned_6": [level + step for level in worse.values() for step in (-0.05, 0.05)],
        "drawn_6": [3.0, 3.0, 3.0, 3.0],
        "lines_6": [3.0, 2.0, 1.0, 0.0],
    }
    samples["ned_6"][3] = math.nan  # no line counts
    write_measured(results, "cpu", "nano-f16x64", CASE, samples, images=pages)
    table = ground_table(load(), CASE, "ned")
    shown = [[plain(cell) for cell in row] for row in table.rows]
    assert [row[:2] for row in shown] == [
        [ground.replace("-", " "), what] for ground in worse for what in ("lines that count", "nano-f16x64")
    ]
    assert [shown[0][2], shown[2][2]] == ["5 of 6", "1 of 6"]
    assert shown[1][2].startswith("0.10 [")
    assert shown[3][2] == "0.45"


def test_pairs_of_equal_rate_are_compared_by_page_with_intervals_that_hold_together(results: Path) -> None:
    """Of one pair at three heights each interval is at 1 − 0.05 / 3."""
    write_text(results)
    (row,) = text_pairs_table(load(), CASE, "ned").rows
    assert [plain(cell) for cell in row[:2]] == ["nano-f16x64", "pca-f16x64"]
    for step, cell in enumerate(row[3:]):
        wrong = np.array([0.8, 0.4] * 3) * 0.5**step * 0.75  # less a quarter of it, which is the other's
        low, high = stats.t.interval(1 - 0.05 / 3, 5, wrong.mean(), stats.sem(wrong))
        assert plain(cell) == f"{wrong.mean():+.2f} [{low:.2f}, {high:.2f}]"


def test_what_is_equal_on_all_pages_has_the_interval_of_a_share_or_none(results: Path) -> None:
    """Of 6 pages that all succeed, a share below 0.025^(1/6) has a chance of less than a fortieth."""
    same = {
        "bpp": [4.0] * 6,
        "ned_6": [0.0] * 6,
        "exact-match_6": [1.0] * 6,
        "lines_6": [3.0] * 6,
        "drawn_6": [3.0] * 6,
    }
    for name in ("nano-f16x64", "pca-f16x64"):
        write_measured(results, "cpu", name, CASE, same)
    cells = {quantity: plain(text_table(load(), CASE, quantity).rows[1][2]) for quantity in ("ned", "exact-match")}
    assert cells == {"ned": "0.00", "exact-match": f"1.00 [{0.025 ** (1 / 6):.2f}, 1.00]"}
    (row,) = text_pairs_table(load(), CASE, "exact-match").rows
    assert plain(row[3]) == "0.00"


def test_without_two_of_equal_rate_there_are_no_pairs(results: Path) -> None:
    write_text(results, names=["nano-f16x64", "jpeg:q=75"])
    with pytest.raises(RequestError, match="no two records of 'text-by-height-512' are of equal rate"):
        text_pairs_table(load(), CASE, "ned")


def test_a_record_without_counts_by_page_says_how_to_measure_it_again(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"ned_6": [0.1, 0.2]})
    with pytest.raises(RequestError, match="has no counts of lines by page; measure it again: vitok run text"):
        ground_table(load(), CASE, "ned")


def test_without_records_the_way_to_them_is_said(results: Path) -> None:
    with pytest.raises(RequestError, match=r"no record of 'text-by-height-512' holds text.*vitok run text"):
        text_read(load(), CASE)
