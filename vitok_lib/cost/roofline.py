"""The least time that work could take at the ceilings of a machine (Williams, Waterman & Patterson 2009).

Pure arithmetic: a part of the work takes at least its operations at the rate of the arithmetic units, and at least its
bytes at the rate of the memory, whichever is longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitok_lib.cost.flops import SideTraffic, SideWork, block_matrices, vitok_work
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Provenance, Record
from vitok_lib.records.store import iterate
from vitok_lib.tokenizers.vitok.variant import Side, Variant

MATMUL, ATTENTION, COPY = "matmul", "attention", "copy"


@dataclass(frozen=True)
class Ceilings:
    """What was measured of a machine: ``matmul`` and ``attention`` in operations a second, ``copy`` in bytes a second,
    read and written together. ``attention`` None: its products run at most as fast as a large matrix product.
    """

    matmul: float
    copy: float
    attention: float | None = None

    def __post_init__(self) -> None:
        for name in (MATMUL, COPY, ATTENTION):
            rate = getattr(self, name)
            if rate is not None and not rate > 0:
                raise RequestError(f"ceiling '{name}' (={rate:g}) must be above 0; measure it on the machine again")

    @property
    def ridge(self) -> float:
        """Operations a byte from which on a matrix product is bound by arithmetic and no more by memory."""
        return self.matmul / self.copy


@dataclass(frozen=True)
class Bound:
    """A part of the work: its operations and bytes, the least seconds it takes, and the ceiling that bounds it."""

    operations: int
    bytes: int
    seconds: float
    by: str

    @property
    def intensity(self) -> float | None:
        """Operations a byte; None where no byte moves."""
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


def bound(operations: int, moved_bytes: int, ceilings: Ceilings, arithmetic: str = MATMUL) -> Bound:
    """The least time of ``operations`` that move ``moved_bytes``, at the ``"matmul"`` or ``"attention"`` ceiling."""
    rate = ceilings.matmul
    if arithmetic == ATTENTION and ceilings.attention is not None:
        rate = ceilings.attention
    computing, moving = operations / rate, moved_bytes / ceilings.copy
    return Bound(operations, moved_bytes, max(computing, moving), arithmetic if computing >= moving else COPY)


def roofline(work: SideWork, traffic: SideTraffic, ceilings: Ceilings) -> Roofline:
    """The least time of an encoder or decoder, part by part."""
    return Roofline(
        linear=bound(work.linear, traffic.linear, ceilings),
        attention=bound(work.attention, traffic.attention, ceilings, ATTENTION),
        elementwise=bound(0, traffic.elementwise, ceilings),
    )


def least_seconds(work: SideWork, moved_bytes: int, ceilings: Ceilings) -> float:
    """The least time of a whole encoder or decoder, where nothing but ``moved_bytes`` goes through memory."""
    computing = work.linear / ceilings.matmul + work.attention / (ceilings.attention or ceilings.matmul)
    return max(computing, moved_bytes / ceilings.copy)


def window_speedup(
    variant: Variant,
    height: int,
    width: int,
    wide: int | None,
    narrow: int | None,
    attention_slowdown: float = 1.0,
) -> float:
    """How many times faster encoding and decoding would be with the radius ``narrow`` than with ``wide``.

    Ideally: time as operations alone give it, attention at the rate of matrix products over ``attention_slowdown``.
    """

    def cost(window: int | None) -> float:
        work = vitok_work(variant, height, width, window)
        sides = (work.encoder, work.decoder)
        return sum(side.linear + side.attention * attention_slowdown for side in sides)

    return cost(wide) / cost(narrow)


def tokens_of_equal_work(variant: Variant, side: Side) -> float:
    """Tokens from which on full attention is more work than the matrices of a block: P/(2·width).

    Of N tokens a block's matrices, of P entries, take 2·P·N operations, and its attention 4·width·N².
    """
    return block_matrices(variant, side) / (2 * side.width)


def recorded_ceilings(
    device: str, dtype: str, precision: str | None = None, machine: str | None = None
) -> tuple[Ceilings, str] | None:
    """The newest ceilings on record for ``device``, ``"cpu"`` or ``"cuda"``, and the GPU or CPU they were measured on.

    Args:
        dtype, precision: of the matrix products; attention's are in ``dtype`` whatever the precision.
        machine: only of the GPU or CPU of this name; None: of any.

    Returns:
        None where the records do not hold them.
    """
    found = [
        record
        for _, record in iterate()
        if (record.settings.device or "").partition(":")[0] == device
        and record.settings.dtype == dtype
        and all(record.value(name) is not None for name in ("ceiling_matmul", "ceiling_copy"))
        and machine in (None, _machine(record))
    ]
    products = _newest(found, precision)
    if products is None:
        return None
    attention = _newest([record for record in found if _machine(record) == _machine(products)], None)
    if attention is None:
        return None
    ceilings = Ceilings(
        matmul=_number(products, "ceiling_matmul") * 1e12,  # TFLOP/s
        copy=_number(products, "ceiling_copy") * 1e9,  # GB/s
        attention=_number(attention, "ceiling_matmul") * 1e12,
    )
    return ceilings, _machine(products)


def _newest(records: Sequence[Record], precision: str | None) -> Record | None:
    suitable = [record for record in records if record.settings.precision == precision]
    return max(suitable, key=lambda record: _provenance(record).started, default=None)


def _machine(record: Record) -> str:
    host = _provenance(record).host
    return host.gpu or host.cpu


def _provenance(record: Record) -> Provenance:
    assert record.provenance is not None, "what has a measured value has a provenance"
    return record.provenance


def _number(record: Record, quantity: str) -> float:
    value = record.value(quantity)
    assert value is not None, "only records with both ceilings are looked at"
    return value.value
