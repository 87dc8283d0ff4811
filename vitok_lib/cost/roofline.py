"""The least time that FLOPs and bytes could take at a machine's peak rates (Williams, Waterman & Patterson 2009).

A part takes at least its FLOPs at the peak throughput, and at least its bytes at the peak bandwidth: the longer counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitok_lib.cost.flops import SideFlops, SideTraffic
from vitok_lib.cost.peak_rates import ATTENTION, COPY, MATMUL, PeakRates


@dataclass(frozen=True)
class Bound:
    """A part of the work: its FLOPs and bytes, the least seconds it takes, and the rate that bounds it."""

    operations: int
    bytes: int
    seconds: float
    by: str

    @property
    def intensity(self) -> float | None:
        """FLOP/byte; None where no byte moves."""
        return self.operations / self.bytes if self.bytes else None


@dataclass(frozen=True)
class Roofline:
    """The parts of one side, each a kernel, or kernels, of its own that reads from memory and writes to it."""

    linear: Bound
    attention: Bound
    elementwise: Bound

    @property
    def parts(self) -> dict[str, Bound]:
        return {"linear": self.linear, "attention": self.attention, "elementwise": self.elementwise}

    @property
    def seconds(self) -> float:
        """Least seconds of all parts one after another."""
        return sum(part.seconds for part in self.parts.values())


def bound(operations: int, moved_bytes: int, rates: PeakRates, arithmetic: str = MATMUL) -> Bound:
    """The least time of ``operations`` FLOPs that move ``moved_bytes``, at the ``"matmul"`` or ``"attention"`` rate."""
    throughput = rates.of_attention if arithmetic == ATTENTION else rates.matmul
    computing, moving = operations / throughput, moved_bytes / rates.copy
    return Bound(operations, moved_bytes, max(computing, moving), arithmetic if computing >= moving else COPY)


def roofline(work: SideFlops, traffic: SideTraffic, rates: PeakRates) -> Roofline:
    """The least time of an encoder or decoder, part by part."""
    return Roofline(
        linear=bound(work.linear, traffic.linear, rates),
        attention=bound(work.attention, traffic.attention, rates, ATTENTION),
        elementwise=bound(0, traffic.elementwise, rates),
    )


def least_seconds(work: SideFlops, moved_bytes: int, rates: PeakRates) -> float:
    """The least time of a whole encoder or decoder, where nothing but ``moved_bytes`` goes through memory."""
    computing = work.linear / rates.matmul + work.attention / rates.of_attention
    return max(computing, moved_bytes / rates.copy)
