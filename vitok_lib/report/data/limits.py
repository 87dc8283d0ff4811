"""The roofline of a measured speed: the least time of its FLOPs and traffic at the peaks of its own run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitok_lib.cost.flops import SideFlops, vitok_flops, vitok_traffic
from vitok_lib.cost.peak_rates import COPY, GIGA, TERA, rates_of
from vitok_lib.cost.roofline import Bound, roofline
from vitok_lib.report.data import groups
from vitok_lib.report.data.groups import ROOFLINE, SPEED, Machine
from vitok_lib.report.data.record_view import Entry

WIDER = {"float32": 2, "float64": 4}
"""Bytes of a value over the two that the traffic counts."""
HALF = 0.5
PARTS = ("linear", "attention", "elementwise")


@dataclass(frozen=True)
class Limits:
    """An entry with the roofline bounds of each part of its work, of ``batch`` images, for encoder and decoder.

    ``wider`` is the bytes of a value over the two that the traffic counts; ``matmul`` in TFLOP/s and ``copy`` in GB/s
    are the peaks of its run.
    """

    entry: Entry
    parts: dict[str, list[Bound]]
    batch: int
    wider: int
    matmul: float
    copy: float

    def least(self, part: str) -> float:
        """Roofline time of one image, in milliseconds."""
        return sum(bound.seconds for bound in self.parts[part]) * 1e3 / self.batch

    @property
    def least_ms(self) -> float:
        return sum(self.least(part) for part in self.parts)

    @property
    def taken_ms(self) -> float:
        return self.entry.value("latency").value

    @property
    def share(self) -> float:
        """The roofline time over the measured time."""
        return self.least_ms / self.taken_ms

    @property
    def intensity(self) -> float:
        """Arithmetic intensity, in FLOP for each byte of the least traffic."""
        return self._operations / (self.wider * sum(bound.bytes for bound in self._bounds))

    @property
    def rate(self) -> float:
        """The throughput that was reached, in TFLOP/s."""
        return self._operations / self.batch / (self.taken_ms * 1e-3) / TERA

    @property
    def by(self) -> str:
        """What bounds it; where the peaks explain less than half of the time, neither of them does."""
        if self.share < HALF:
            return "neither peak"
        if self.share > 1:
            return "above the roofline"
        moving = sum(bound.seconds for bound in self._bounds if bound.by == COPY)
        return "memory" if 2 * moving > sum(bound.seconds for bound in self._bounds) else "compute"

    @property
    def _bounds(self) -> list[Bound]:
        return [bound for part in self.parts.values() for bound in part]

    @property
    def _operations(self) -> int:
        return sum(bound.operations for bound in self._bounds)


def limits(entries: Sequence[Entry]) -> dict[Machine, list[Limits]]:
    """The measured speeds of ViToks whose run measured its peaks, a list a machine."""
    found: dict[Machine, list[Limits]] = {}
    for machine, held in groups.by_machine(entries, [ROOFLINE, SPEED]).items():
        seen: dict[tuple[object, ...], Limits] = {}
        for entry in sorted(held, key=lambda entry: entry.record.benchmark != ROOFLINE):
            asked = [groups.setting(entry, name) for name in groups.FIXED]
            limit = _limits(entry)
            if limit:
                seen.setdefault((entry.record.tokenizer.name, groups.size(entry), *asked), limit)
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
    work = vitok_flops(variant, *groups.size(entry), settings.window, batch)
    traffic = vitok_traffic(variant, *groups.size(entry), scheme, batch)
    # Values that are twice as wide move twice the bytes, which is as if the memory were half as fast.
    narrow = replace(rates, copy=rates.copy / wider)
    sides = [(work.encoder, traffic.encoder), (work.decoder, traffic.decoder)]
    lines = [roofline(SideFlops(part.linear, part.attention), moved, narrow) for part, moved in sides]
    parts = {part: [line.parts[part] for line in lines] for part in PARTS}
    return Limits(entry, parts, batch, wider, rates.matmul / TERA, rates.copy / GIGA)
