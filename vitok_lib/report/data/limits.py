"""What bounds a speed: the least time of its work at the ceilings of its own run, beside the time that it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitok_lib.cost.flops import SideWork, vitok_traffic, vitok_work
from vitok_lib.cost.peak_rates import COPY, GIGA, TERA, rates_of
from vitok_lib.cost.roofline import Bound, roofline
from vitok_lib.report.data import groups
from vitok_lib.report.data.groups import ROOFLINE, SPEED, Machine, described
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import derived
from vitok_lib.report.page.content import Head, Sentence, Table
from vitok_lib.report.page.formatting import number
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.tables.speed import lead, lead_heads, same_for_all

WIDER = {"float32": 2, "float64": 4}
"""Bytes of a value over the two that the traffic counts."""
HALF = 0.5
PARTS = ("linear", "attention", "elementwise")


@dataclass(frozen=True)
class Limits:
    """An entry with the parts of its work, of ``batch`` images, each as encoder and decoder.

    ``wider`` is the bytes of a value over the two that the traffic counts; ``matmul`` in TFLOP/s and ``copy`` in GB/s
    are the ceilings of its run.
    """

    entry: Entry
    parts: dict[str, list[Bound]]
    batch: int
    wider: int
    matmul: float
    copy: float

    def least(self, part: str) -> float:
        """Milliseconds an image."""
        return sum(bound.seconds for bound in self.parts[part]) * 1e3 / self.batch

    @property
    def least_ms(self) -> float:
        return sum(self.least(part) for part in self.parts)

    @property
    def taken_ms(self) -> float:
        return self.entry.value("latency").value

    @property
    def share(self) -> float:
        """The least time over the time taken."""
        return self.least_ms / self.taken_ms

    @property
    def intensity(self) -> float:
        """Operations for each byte of the least traffic."""
        return self._operations / (self.wider * sum(bound.bytes for bound in self._bounds))

    @property
    def rate(self) -> float:
        """TFLOP/s that was reached."""
        return self._operations / self.batch / (self.taken_ms * 1e-3) / TERA

    @property
    def by(self) -> str:
        """What bounds it, in words; where the ceilings explain less than half of the time, neither of them does."""
        if self.share < HALF:
            return "neither ceiling"
        if self.share > 1:
            return "neither ceiling, being faster than both allow, as where tensors stay in a cache"
        moving = sum(bound.seconds for bound in self._bounds if bound.by == COPY)
        return "memory" if 2 * moving > sum(bound.seconds for bound in self._bounds) else "arithmetic"

    @property
    def _bounds(self) -> list[Bound]:
        return [bound for part in self.parts.values() for bound in part]

    @property
    def _operations(self) -> int:
        return sum(bound.operations for bound in self._bounds)


def limits(entries: Sequence[Entry]) -> dict[Machine, list[Limits]]:
    """The measured speeds of ViToks whose run measured its ceilings, a list a machine."""
    found: dict[Machine, list[Limits]] = {}
    for machine, held in groups.by_machine(entries, [ROOFLINE, SPEED]).items():
        seen: dict[tuple[object, ...], Limits] = {}
        for entry in sorted(held, key=lambda entry: entry.record.benchmark != ROOFLINE):
            settings = entry.record.settings
            limit = _limits(entry)
            key = (entry.record.tokenizer.name, groups.size(entry), settings.preset, settings.window, settings.dtype)
            if limit:
                seen.setdefault((*key, settings.batch), limit)
        if seen:
            order = {entry.name: index for index, entry in enumerate(held)}
            found[machine] = sorted(seen.values(), key=lambda limit: order[limit.entry.name])
    return found


def _limits(entry: Entry) -> Limits | None:
    variant, settings = groups.variant_of(entry), entry.record.settings
    rates = rates_of(entry.record)
    if variant is None or rates is None or not groups.held(entry, "latency"):
        return None
    if settings.precision and rates.attention is None:
        return None
    scheme = "fp8" if settings.precision else "compiled" if settings.compile else "eager"
    batch, wider = settings.batch or 1, WIDER.get(settings.dtype or "", 1)
    work = vitok_work(variant, *groups.size(entry), settings.window, batch)
    traffic = vitok_traffic(variant, *groups.size(entry), scheme, batch)
    # Values that are twice as wide move twice the bytes, which is as if the memory were half as fast.
    narrow = replace(rates, copy=rates.copy / wider)
    sides = [(work.encoder, traffic.encoder), (work.decoder, traffic.decoder)]
    lines = [roofline(SideWork(part.linear, part.attention), moved, narrow) for part, moved in sides]
    parts = {part: [line.parts[part] for line in lines] for part in PARTS}
    return Limits(entry, parts, batch, wider, rates.matmul / TERA, rates.copy / GIGA)


def bound_tables(entries: Sequence[Entry]) -> list[tuple[Machine, Table]]:
    """The least time of each part of the work at the machine's ceilings, beside the time taken and what bounds it."""
    found = []
    for machine, held in limits(entries).items():
        shown = [limit.entry for limit in held]
        settings = groups.varying(shown)
        rows: list[list[Sentence]] = []
        for limit in held:
            entry = limit.entry
            least = [
                (derived(digits("latency", limit.least(part)), f"least time of the {part} part, by formula", entry),)
                for part in PARTS
            ]
            whole = derived(digits("latency", limit.least_ms), "least time of all parts, by formula", entry)
            share = derived(f"{digits('share', 100 * limit.share)} %", "least time over the time taken", entry)
            taken = number(entry, entry.value("latency"))
            rows.append([*lead(entry, settings), *least, (whole,), (taken,), (share,), (limit.by,)])
        heads = [*lead_heads(settings), *(Head(f"Least, {part}, ms") for part in PARTS), Head("Least, all, ms")]
        heads += [Head(label("latency", "ms")), Head("Least over taken"), Head("Bound by")]
        note = (
            "The least time is that of the operations at the rate of a large product, or of the least bytes at the "
            "rate of a large copy, whichever is longer, part by part; both rates are of the same run. Where it is "
            "less than half of the time taken, neither ceiling bounds: launches, small kernels or waiting do."
        )
        found.append((machine, Table([heads], rows, notes=[(note,), *same_for_all(shown, settings)])))
    return found


def bound_claims(entries: Sequence[Entry]) -> list[Sentence]:
    """What bounds the smallest and the largest size of each tokenizer on each machine, on its fastest path there."""
    sentences: list[Sentence] = []
    for machine, held in limits(entries).items():
        ends: dict[str, None] = {}
        for name in dict.fromkeys(limit.entry.record.tokenizer.name for limit in held):
            own = [limit for limit in held if limit.entry.record.tokenizer.name == name]
            for count in (min(map(_tokens, own)), max(map(_tokens, own))):
                at_end = [limit for limit in own if _tokens(limit) == count]
                ends[min(at_end, key=lambda limit: limit.taken_ms).entry.name] = None
        for limit in (limit for limit in held if limit.entry.name in ends):
            share = derived(f"{digits('share', 100 * limit.share)} %", "least time over the time taken", limit.entry)
            before = f"On {machine}, {described(limit.entry)} is bound by {limit.by}: "
            sentences.append((before, "at both ceilings of its run it would take ", share, " of its time."))
    return sentences


def _tokens(limit: Limits) -> int:
    return groups.tokens(limit.entry) or 0
