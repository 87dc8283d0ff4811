"""Every sentence and table of the book agrees with the records: what they say is computed again from the files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, ttest_1samp

from vitok_lib.project import ROOT
from vitok_lib.records.schema import Kind, Record
from vitok_lib.report.data.record_view import Entry, load
from vitok_lib.report.page.content import Number, Sentence, Table, plain
from vitok_lib.report.sphinx.catalogue import DIRECTIVES
from vitok_lib.report.sphinx.directives import Titled, Wide
from vitok_lib.report.sphinx.request import Request

DIRECTIVE = re.compile(r"^```\{([\w-]+)\}(.*?)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NO_COMPARISON = ("result-figure", "run-list", "evidence-levels", "reference-table")
DIFFERENCE = re.compile(r"derived: (\S+) minus (\S+), paired by image, n = ([\d,]+)")
TOGETHER = re.compile(r"one of (\d+) that hold together")
RATIO = re.compile(r"derived: latency of (\S+) over that of (\S+), round by round")
UNDECIDED = re.compile(r"not significant|does not differ significantly|none of \d+ other|no other preset")


@dataclass(frozen=True)
class Shown:
    """A number with an interval of a page, and the words that go with it: its sentence, or its cell and the next."""

    page: str
    number: Number
    words: str
    in_table: bool


@cache
def committed() -> list[Entry]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOK_RESULTS", str(ROOT / "results"))
        return [entry for entry in load() if entry.study != "local"]


@cache
def shown_in_the_book() -> list[Shown]:
    """All numbers that the directives of the pages make of the committed records."""
    found: list[Shown] = []
    for page in sorted((ROOT / "book").glob("*.md")):
        for name, argument, body in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            if name not in DIRECTIVES or name in NO_COMPARISON:
                continue
            spec = DIRECTIVES[name]
            arguments = argument.split() if spec.arguments > 1 else [argument.strip()][: spec.arguments]
            options = dict(re.findall(r"^:([\w-]+): *(.*)$", body, re.MULTILINE))
            for content in spec.make(Request(name, arguments, options, committed())):
                found += _numbers(page.stem, content)
    return found


def _numbers(page: str, content: object) -> Iterator[Shown]:
    if isinstance(content, Titled | Wide):
        content = content.table
    if isinstance(content, Table):
        for row in content.rows:
            for cell, after in zip(row, [*row[1:], ()], strict=True):
                yield from _of_words(page, cell, f"{plain(cell)} {plain(after)}", in_table=True)
        for note in content.notes:
            yield from _of_words(page, note, plain(note), in_table=False)
    elif isinstance(content, tuple):
        yield from _of_words(page, content, plain(content), in_table=False)


def _of_words(page: str, sentence: Sentence, words: str, *, in_table: bool) -> Iterator[Shown]:
    for part in sentence:
        if isinstance(part, Number):
            yield Shown(page, part, words, in_table)


def _path(name: str) -> Path:
    return ROOT / "results" / f"{name}.json"


@cache
def _single(name: str) -> pd.DataFrame:
    """The values of single images, or of single calls."""
    return pd.read_parquet(_path(name).with_suffix(".parquet"))


def _images(name: str, quantity: str) -> dict[str, float]:
    frame = _single(name)
    return dict(zip(frame["image"], frame[quantity], strict=True))


def _differences(first: str, second: str, quantity: str) -> NDArray[np.float64]:
    one, other = _images(first, quantity), _images(second, quantity)
    values = np.array([one[image] - other[image] for image in one])
    return values[~np.isnan(values)]


def _rounds(name: str) -> pd.Series:
    """The median time of encode and decode together in each round."""
    calls = _single(name).copy()
    calls["call"] = calls.groupby(["round", "stage"]).cumcount()
    times = calls.pivot_table(index=["round", "call"], columns="stage", values="milliseconds").sum(axis=1)
    return times.groupby("round").median()


def _ratio(base: str, entry: str) -> tuple[float, float, float]:
    """The median over the rounds, and an interval of it by order statistics."""
    ratios = np.sort((_rounds(base) / _rounds(entry)).to_numpy())
    cut = int(binom.ppf(0.025, len(ratios), 0.5))
    return float(np.median(ratios)), float(ratios[cut - 1]), float(ratios[len(ratios) - cut])


def _printed(text: str) -> tuple[float, float]:
    """A number in print, and half of its last digit."""
    found = re.match(r"[+−-]?[\d,]*\.?\d+", text)
    assert found is not None, text
    digits = found[0].replace(",", "").replace("−", "-")
    return float(digits), 0.5 * 10.0 ** -len(digits.partition(".")[2]) * 1.001


def _ends(number: Number) -> list[tuple[float, float]]:
    assert number.interval is not None
    return [_printed(end) for end in number.interval.strip("[]").split(", ")]


def _agrees(number: Number, value: float, low: float, high: float) -> bool:
    printed = [_printed(number.text), *_ends(number)]
    return all(abs(text - found) <= within for (text, within), found in zip(printed, (value, low, high), strict=True))


def comparisons() -> Iterator[tuple[Shown, tuple[str, str, str | None], float]]:
    """Each comparison with an interval: where it is, of which two and which quantity, and what no difference is."""
    for shown in shown_in_the_book():
        tip = shown.number.tip
        if shown.number.interval is None:
            continue
        if found := DIFFERENCE.match(tip):
            yield shown, (found[1], found[2], _quantity(shown.number, found[1], found[2])), 0.0
        elif found := RATIO.match(tip):
            yield shown, (found[2], found[1], "latency"), 1.0


@cache
def _quantity(number: Number, first: str, second: str) -> str | None:
    """The quantity whose paired differences, by scipy, have the mean and the interval in print."""
    together = TOGETHER.search(number.tip)
    level = 1 - 0.05 / (int(together[1]) if together else 1)
    both = [set(_single(name).columns) for name in (first, second)]
    for quantity in sorted(set.intersection(*both) - {"image", "sha256", "height", "width", "batch"}):
        values = _differences(first, second, quantity)
        if len(values) > 1:
            bounds = ttest_1samp(values, 0).confidence_interval(level)
            if _agrees(number, float(values.mean()), float(bounds.low), float(bounds.high)):
                return quantity
    return None


def test_each_difference_and_its_interval_follow_from_the_values_of_single_images() -> None:
    found = [(shown, names) for shown, names, neutral in comparisons() if neutral == 0]
    assert len(found) > 50
    for shown, (first, second, quantity) in found:
        assert quantity is not None, f"no quantity of {first} minus {second} gives {shown}"


def test_each_ratio_of_latencies_and_its_interval_follow_from_the_rounds() -> None:
    count = 0
    for shown, (entry, base, _), neutral in comparisons():
        if neutral == 1:
            assert _agrees(shown.number, *_ratio(base, entry)), shown
            count += 1
    assert count > 10


def test_words_say_of_each_comparison_what_its_interval_says() -> None:
    for shown, _, neutral in comparisons():
        (low, _), (high, _) = _ends(shown.number)
        undecided, decided = low <= neutral <= high, UNDECIDED.search(shown.words) is None
        if shown.in_table:
            assert undecided or decided, shown
        else:
            assert undecided != decided, shown
        amount = shown.number.amount
        assert amount is not None
        if re.search(r"is above|is the fastest|earn back", shown.words):
            assert amount > neutral, shown
        if re.search(r"is below|nothing earns back", shown.words):
            assert amount < neutral, shown


def test_no_pair_is_significantly_different_in_one_place_and_not_in_another_of_equal_comparisons() -> None:
    by_pair: dict[object, set[bool]] = defaultdict(set)
    for shown, names, neutral in comparisons():
        (low, _), (high, _) = _ends(shown.number)
        together = TOGETHER.search(shown.number.tip)
        by_pair[names, together[1] if together else "1"].add(low <= neutral <= high)
    assert {key: found for key, found in by_pair.items() if len(found) > 1} == {}


def _records_of(name: str) -> dict[str, Record]:
    """The records that share a folder with one, by name."""
    folder = _path(name).parent
    study, case = folder.parts[-2:]
    return {
        f"{study}/{case}/{path.stem}": Record.model_validate_json(path.read_text(encoding="utf-8"))
        for path in folder.glob("*.json")
    }


def _rate(record: Record) -> float:
    measured, ratio = record.value("bpp"), record.tokenizer.compression_ratio
    return measured.value if measured else 48 / ratio if ratio else 0.0


def test_what_is_marked_or_named_best_exceeds_all_of_its_rate_and_nothing_else_is_marked() -> None:
    by_anchor = {entry.anchor: entry.name for entry in committed() if entry.measured}
    checked = 0
    for shown in shown_in_the_book():
        number = shown.number
        named = "has the highest mean" in shown.words and number.kind == Kind.MEASURED
        if not (number.best or named) or number.anchor not in by_anchor or number.interval is None:
            continue
        name = by_anchor[number.anchor]
        records = _records_of(name)
        own = records[name]
        amount, within = _printed(number.text)
        (value,) = [value for value in own.values if value.interval and abs(value.value - amount) <= within][:1]
        rivals = {
            other: record
            for other, record in records.items()
            if other != name
            and max(_rate(record), _rate(own)) <= 1.05 * min(_rate(record), _rate(own))
            and record.images.manifest_sha256 == own.images.manifest_sha256
            and record.value(value.quantity) is not None
        }
        assert rivals, f"{name} is alone at its rate, and best of nothing"
        for other in rivals:
            values = _differences(name, other, value.quantity)
            assert values.mean() >= 0, (name, other)
            if number.best:
                bounds = ttest_1samp(values, 0).confidence_interval(1 - 0.05 / len(rivals))
                assert bounds.low > 0, (name, other)
        checked += 1
    assert checked > 10


def test_each_measured_number_is_a_value_of_the_record_that_it_links_to() -> None:
    by_anchor = {entry.anchor: entry for entry in committed()}
    count = 0
    for shown in shown_in_the_book():
        number = shown.number
        if number.kind != Kind.MEASURED or number.ended or number.amount is None or number.anchor not in by_anchor:
            continue
        entry = by_anchor[number.anchor]
        if "against memory of" in number.tip:  # no value, but the least memory that holds it
            peaks = [value.value for value in entry.record.values if value.quantity in ("model_peak", "peak_memory")]
            assert max(peaks) * 2**30 <= number.amount * 1e9, shown
            continue
        within = 1e-3 * number.amount if "·10" in number.text else _printed(number.text)[1]
        held = [(value.value, value.unit) for value in (*entry.record.values, *entry.record.smaller_n)]
        in_seconds = number.text.endswith(" s")
        values = np.array([value / 1e3 if in_seconds and unit == "ms" else value for value, unit in held])
        if not (np.abs(values - number.amount) <= within).any():
            single = _single(entry.name).select_dtypes("number").to_numpy()
            assert np.nanmin(np.abs(single - number.amount)) <= within, shown
        count += 1
    assert count > 100
