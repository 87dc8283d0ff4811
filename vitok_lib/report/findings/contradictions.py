"""What published sources print that does not go together, within one source or between two; estimates are left out.

Each rule compares printed numbers with each other, or with FLOPs by formula. That two disagree says nothing about
which of them is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from operator import itemgetter

from vitok_lib.cost.flops import Flops, vitok_flops
from vitok_lib.cost.peak_rates import TERA
from vitok_lib.records.schema import Kind, OutcomeStatus, Value
from vitok_lib.report.data.formatting import number, outcome
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Part, Sentence, WebLink
from vitok_lib.report.page.labels import DECIMALS, digits, name_of, three_digits
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.vitok.variant import parse_variant

say = sentences("contradictions")

QUALITIES = ("psnr", "ssim", "fid", "fdd")
ENOUGH_QUALITIES = 3
SAME, APART = 1, 2
"""Units of the last printed digit: values that differ by at most the first agree, by more than the second disagree."""

EQUAL_FLOPS, UNEQUAL_TIMES = 1.02, 1.5


@dataclass(frozen=True)
class Printed:
    """A published value with its record."""

    entry: Entry
    value: Value

    @property
    def name(self) -> str:
        return self.entry.record.tokenizer.name

    @property
    def shown(self) -> Number:
        return number(self.entry, self.value, unit=True)

    @property
    def source(self) -> Part:
        """The source, linked at the line or section that prints the value."""
        source = self.entry.record.source
        assert source is not None
        return WebLink(source.title, f"{source.address}#{self.value.at}") if source.address else source.title

    @property
    def seconds(self) -> float:
        """Of a time or a rate, the time of one image."""
        return 1 / self.value.value if self.value.quantity == "throughput" else self.value.value / 1000

    @property
    def work(self) -> Flops | None:
        """FLOPs of one image with full attention, by formula; None for a tokenizer whose layers are not known here."""
        record = self.entry.record
        if record.tokenizer.variant is None:
            return None
        return vitok_flops(parse_variant(record.tokenizer.variant), record.resolution, record.resolution)


def contradictions(entries: Sequence[Entry]) -> list[Sentence]:
    """Every contradiction in a sentence, by rule."""
    published = [entry for entry in entries if entry.published]
    rules: tuple[Callable[[Sequence[Entry]], Iterator[Sentence]], ...] = (
        one_row_under_two_names,
        two_values_of_one_thing,
        failed_and_ran,
        rates_unlike_times,
        times_unlike_flops,
        larger_in_less_time,
    )
    return [sentence for rule in rules for sentence in rule(published)]


def one_row_under_two_names(published: Sequence[Entry]) -> Iterator[Sentence]:
    """Two sources give the same qualities, to the last digit or nearly, to tokenizers of two names."""
    for first, second, shared in _equal_rows(published):
        ratios = [entry.record.tokenizer.compression_ratio for entry in (first.entry, second.entry)]
        yield say("one_row", first=first, second=second, shared=shared, ratios=[f"{ratio:g} : 1" for ratio in ratios])


def two_values_of_one_thing(published: Sequence[Entry]) -> Iterator[Sentence]:
    """Two sources give one quality of one tokenizer in two values, over the same number of images."""
    for quantity in QUALITIES:
        for first, second in combinations(_values(published, quantity), 2):
            alike = _key(first.entry) == _key(second.entry) and first.value.n == second.value.n
            if alike and first.entry.origin != second.entry.origin and _units(first.value, second.value) > APART:
                yield say("two_values", first=first, second=second, quantity=name_of(quantity))


def failed_and_ran(published: Sequence[Entry]) -> Iterator[Sentence]:
    """One source reports that a tokenizer failed where another gives its time."""
    names = {frozenset((first.name, second.name)) for first, second, _ in _equal_rows(published)}
    failed = [entry for entry in published if entry.record.outcome.status != OutcomeStatus.OK]
    for entry in failed:
        for time in _values(published, "latency"):
            pair = frozenset((entry.record.tokenizer.name, time.name))
            if (
                entry.case == time.entry.case
                and entry.origin != time.entry.origin
                and (len(pair) == 1 or pair in names)
            ):
                yield say("failed_and_ran", entry=entry, outcome=outcome(entry), time=time, alias=len(pair) > 1)


def rates_unlike_times(published: Sequence[Entry]) -> Iterator[Sentence]:
    """A source's rate is not one over its time, rounded."""
    for time in _values(published, "latency"):
        for rate in _values(published, "throughput"):
            same = (time.entry.origin, *_key(time.entry)) == (rate.entry.origin, *_key(rate.entry))
            half = 0.5 * 10.0 ** -_decimals(rate.value.value)
            if same and abs(1 / time.seconds - rate.value.value) > half * 1.001:
                text = f"{three_digits(1 / time.seconds)} img/s"
                inverse = Number(
                    text, Kind.PUBLISHED, f"published: 1,000 / {time.value.value:,g} ms", time.entry.anchor
                )
                yield say("rate", time=time, rate=rate, inverse=inverse)


def times_unlike_flops(published: Sequence[Entry]) -> Iterator[Sentence]:
    """In one table, models of equal FLOPs take unequal times, or one of more FLOPs takes less time: the worst pair.

    A source may have used a window that it does not name, so more FLOPs count only if linear layers alone take them.
    """
    tables: dict[tuple[str, str, str], list[tuple[Printed, Flops]]] = {}
    for quantity in ("latency", "throughput"):
        for printed in _values(published, quantity):
            if (work := printed.work) and printed.entry.record.settings.window is None:
                tables.setdefault((printed.entry.origin, printed.entry.case, quantity), []).append((printed, work))
    for rows in tables.values():
        pairs = [(*one, *other) for one, other in permutations(rows, 2)]
        equal = [
            (a.seconds / b.seconds, a, b)
            for a, of_a, b, of_b in pairs
            if max(of_a.total, of_b.total) < EQUAL_FLOPS * min(of_a.total, of_b.total)
            and a.seconds > UNEQUAL_TIMES * b.seconds
        ]
        more = [
            (_linear(of_a) / of_b.total, a, b)
            for a, of_a, b, of_b in pairs
            if _linear(of_a) > of_b.total and a.seconds < b.seconds
        ]
        for name, found in (("equal_flops", equal), ("more_flops", more)):
            if found:
                _, first, second = max(found, key=itemgetter(0))
                yield say(name, first=first, second=second, works=[_flops(first), _flops(second)])


def larger_in_less_time(published: Sequence[Entry]) -> Iterator[Sentence]:
    """A source gives a tokenizer less time for a larger image: the worst of each source."""
    found: dict[str, dict[str, tuple[Printed, Printed]]] = {}
    for pair in combinations(_values(published, "latency"), 2):
        small, large = sorted(pair, key=lambda printed: printed.entry.record.resolution)
        same = (small.name, small.entry.origin) == (large.name, large.entry.origin)
        larger = small.entry.record.resolution < large.entry.record.resolution
        if same and larger and small.seconds > large.seconds:
            of_source = found.setdefault(small.entry.origin, {})
            worst = of_source.get(small.name)
            if worst is None or small.seconds / large.seconds > worst[0].seconds / worst[1].seconds:
                of_source[small.name] = (small, large)
    for of_source in found.values():
        name, (small, large) = max(of_source.items(), key=lambda item: item[1][0].seconds / item[1][1].seconds)
        yield say("larger", small=small, large=large, others=[other for other in of_source if other != name])


def _values(published: Sequence[Entry], quantity: str) -> list[Printed]:
    """What sources print of ``quantity`` as their measurement."""
    found = [Printed(entry, value) for entry in published if (value := entry.record.value(quantity))]
    return [printed for printed in found if printed.value.kind == Kind.PUBLISHED]


def _key(entry: Entry) -> tuple[str, str, int | str | None]:
    return entry.record.tokenizer.name, entry.case, entry.record.settings.window


def _equal_rows(published: Sequence[Entry]) -> list[tuple[Printed, Printed, list[tuple[str, Printed, Printed]]]]:
    """Rows of two sources and two names whose qualities all agree, with these qualities."""
    found = []
    for one, other in combinations(published, 2):
        if one.case != other.case or one.origin == other.origin or _key(one) == _key(other):
            continue
        shared = [
            (name_of(quantity), Printed(one, first), Printed(other, second))
            for quantity in QUALITIES
            if (first := one.record.value(quantity)) and (second := other.record.value(quantity))
        ]
        agree = all(_units(first.value, second.value) <= SAME for _, first, second in shared)
        measured = all(
            kind == Kind.PUBLISHED for _, *both in shared for kind in (printed.value.kind for printed in both)
        )
        if len(shared) >= ENOUGH_QUALITIES and agree and measured:
            found.append((shared[0][1], shared[0][2], shared))
    return found


def _units(first: Value, second: Value) -> int:
    """By how many units of the last digit that its quantity is printed to two values differ."""
    return round(abs(first.value - second.value) * 10.0 ** DECIMALS[first.quantity])


def _decimals(value: float) -> int:
    return len(f"{value:g}".partition(".")[2])


def _linear(work: Flops) -> int:
    return work.encoder.linear + work.decoder.linear


def _flops(printed: Printed) -> Number:
    total = printed.work.total if printed.work else 0
    return Number(f"{digits('', total / TERA)} TFLOP", Kind.DERIVED, "derived: from the architecture, full attention")
