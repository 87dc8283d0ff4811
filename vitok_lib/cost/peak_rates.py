"""Peak rates of a machine, as measured on large matrix products and a large copy, and where the records hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Provenance, Record
from vitok_lib.records.store import iterate

MATMUL, ATTENTION, COPY = "matmul", "attention", "copy"
TERA, GIGA = 1e12, 1e9


@dataclass(frozen=True)
class PeakRates:
    """``matmul`` and ``attention`` are peak throughputs in FLOP/s, ``copy`` is the peak bandwidth in bytes/s, read and
    written together. ``attention`` None: its products run at most as fast as a large matrix product.

    Raises:
        RequestError: a rate is not above 0.
    """

    matmul: float
    copy: float
    attention: float | None = None

    def __post_init__(self) -> None:
        for name in (MATMUL, COPY, ATTENTION):
            rate = getattr(self, name)
            if rate is not None and not rate > 0:
                raise RequestError(f"peak rate '{name}' (={rate:g}) must be above 0; measure it on the machine again")

    @property
    def of_attention(self) -> float:
        """Peak throughput of attention's products in FLOP/s."""
        return self.matmul if self.attention is None else self.attention

    @property
    def ridge(self) -> float:
        """Arithmetic intensity in FLOP/byte above which a matrix product is bound by arithmetic, not by memory."""
        return self.matmul / self.copy


def rates_of(record: Record) -> PeakRates | None:
    """The peak rates measured in the run of ``record``; None where it lacks them."""
    matmul, copy, attention = (record.value(f"ceiling_{name}") for name in (MATMUL, COPY, ATTENTION))
    if matmul is None or copy is None:
        return None
    return PeakRates(matmul.value * TERA, copy.value * GIGA, None if attention is None else attention.value * TERA)


def recorded_peak_rates(
    device: str, dtype: str, precision: str | None = None, machine: str | None = None
) -> tuple[PeakRates, str] | None:
    """The newest peak rates on record for ``device``, ``"cpu"`` or ``"cuda"``, and the GPU or CPU they belong to.

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
        and rates_of(record) is not None
        and machine in (None, _machine(record))
    ]
    products = _newest(found, precision)
    if products is None:
        return None
    in_dtype = _newest([record for record in found if _machine(record) == _machine(products)], None)
    if in_dtype is None:
        return None
    matrices, attention = rates_of(products), rates_of(in_dtype)
    assert matrices is not None
    assert attention is not None
    return PeakRates(matrices.matmul, matrices.copy, attention.matmul), _machine(products)


def _newest(records: Sequence[Record], precision: str | None) -> Record | None:
    suitable = [record for record in records if record.settings.precision == precision]
    return max(suitable, key=lambda record: _provenance(record).started, default=None)


def _machine(record: Record) -> str:
    host = _provenance(record).host
    return host.gpu or host.cpu


def _provenance(record: Record) -> Provenance:
    assert record.provenance is not None, "a measured record has a provenance"
    return record.provenance
