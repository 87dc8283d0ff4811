"""The throughput that records of speed achieved on a GPU, and what it says of models and sizes without a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from vitok_lib.cost.fits import FITS, GIB, Predicted, predicted
from vitok_lib.cost.flops import SideFlops, vitok_flops
from vitok_lib.cost.gpus import find_gpu
from vitok_lib.cost.peak_rates import TERA
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, Record
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import parse_variant

FLOAT32 = {"H100": 67.0}
"""TFLOP/s in float32 without tensor cores (NVIDIA H100 data sheet, SXM): what networks of metrics run in."""


@dataclass(frozen=True)
class Pace:
    """Seconds of a GPU for one image, its evidence level and where it comes from; ``peak`` in GiB, None: not known."""

    seconds: float
    level: Kind
    how: str
    peak: float | None
    parameters: float


@dataclass(frozen=True)
class _Timed:
    """A record of speed: FLOP/s that it achieved over images of ``resolution`` px a side."""

    record: Record
    rate: float

    @property
    def name(self) -> str:
        return self.record.tokenizer.name


class Achieved:
    """What ``records`` tell of ``gpu`` in bf16 with the baseline preset.

    Raises:
        RequestError: the GPU is not known.
    """

    def __init__(self, records: Sequence[Record], gpu: str) -> None:
        self._gpu = find_gpu(gpu)
        self._fits = [record for record in records if record.benchmark == FITS]
        self._timed = [timed for record in records if (timed := self._timing(record)) is not None]

    @property
    def float32(self) -> float | None:
        """FLOP/s of networks in float32: that of the data sheet at the share that the models achieve of their peak.

        None where the data sheet's is not known here.
        """
        if self._gpu.name not in FLOAT32:
            return None
        shares = [held.value / 100 for timed in self._timed if (held := timed.record.value("utilisation")) is not None]
        return FLOAT32[self._gpu.name] * TERA * (median(shares) if shares else 1.0)

    def pace(self, name: str, resolution: int, window: int | None, encodes: float, decodes: float) -> Pace | str:
        """Of ``name`` with so many encodings and decodings of a square image; a sentence where nothing is known."""
        known = self._prediction(name, resolution, window)
        if known is None:
            return "no prediction of its FLOPs"
        fits, sides, peak = known
        if find(name).family == "vitok":
            flops = vitok_flops(parse_variant(find(name).architecture), resolution, resolution, window)
            sides = flops.encoder, flops.decoder
        timed = self._nearest(name, resolution)
        if timed is None:
            return f"no model of its family was timed on {self._gpu.name}"
        exact = (
            timed.name == name
            and timed.record.resolution == resolution
            and timed.record.settings.window == window
            and encodes == decodes
        )
        of_its_blocks = _blocks(timed.name) == _blocks(name)
        level = Kind.MEASURED if exact else Kind.DERIVED if of_its_blocks else Kind.ESTIMATED
        how = f"FLOPs at the {timed.rate / TERA:.0f} TFLOP/s of {timed.name} at {timed.record.resolution} px"
        taken = timed.record.value("peak_memory") if exact else None
        parameters = fits.tokenizer.parameters or predicted(fits).weights / 2
        work = encodes * sides[0].total + decodes * sides[1].total
        return Pace(work / timed.rate, level, how, max(peak, taken.value if taken else 0.0), parameters)

    def _timing(self, record: Record) -> _Timed | None:
        """The achieved throughput of a record of the baseline on a square image, on this GPU."""
        settings, held = record.settings, record.value("latency")
        on_it = record.provenance is not None and self._gpu.is_called(record.provenance.host.gpu or "")
        usual = (settings.dtype, settings.preset, settings.precision) == ("bfloat16", "reference", None)
        square = record.images.rule.startswith(f"{record.resolution}x{record.resolution} ")
        if not (held and on_it and usual and square and record.benchmark == "speed" and not settings.tiling):
            return None
        try:
            entry = find(record.tokenizer.name)
        except RequestError:  # of a plug-in that is not installed here
            return None
        if entry.family == "vitok":
            side = record.resolution
            flops = vitok_flops(parse_variant(entry.architecture), side, side, settings.window).total
        else:
            known = next((fits for fits in self._of(entry.name) if fits.resolution == record.resolution), None)
            if known is None:
                return None
            numbers = predicted(known)
            flops = numbers.encode.total + numbers.decode.total
        return _Timed(record, flops / (held.value / 1e3))

    def _nearest(self, name: str, resolution: int) -> _Timed | None:
        """A record of the model nearest in size, else of the same blocks, else the slowest of its kind."""
        is_vitok = find(name).family == "vitok"
        kin = [timed for timed in self._timed if (find(timed.name).family == "vitok") == is_vitok]
        for same in (
            [timed for timed in kin if timed.name == name],
            [timed for timed in kin if _blocks(timed.name) == _blocks(name)],
        ):
            if same:
                return min(same, key=lambda timed: abs(timed.record.resolution - resolution))
        return min(kin, key=lambda timed: timed.rate, default=None)

    def _of(self, name: str) -> list[Record]:
        """Predictions of a model, untiled and with full attention first."""
        own = [record for record in self._fits if record.tokenizer.name == name]
        return sorted(own, key=lambda record: (record.settings.tiling is True, record.settings.window is not None))

    def _prediction(
        self, name: str, resolution: int, window: int | None
    ) -> tuple[Record, tuple[SideFlops, SideFlops], float] | None:
        """The first prediction that fits on the GPU at the nearest size, its FLOPs and its peak in GiB.

        That with the ``window`` counts where there is one.

        Between sizes both are those of the nearest, times the ratio of the pixels; a peak is not below the weights.
        """
        own = self._of(name)
        if not own:
            return None
        near = min(own, key=lambda record: abs(record.resolution - resolution)).resolution
        at = [record for record in own if record.resolution == near]
        at = [record for record in at if record.settings.window == window] or at
        scale = (resolution / near) ** 2

        def peak(numbers: Predicted) -> float:
            return (numbers.weights + (numbers.peak_with_margin - numbers.weights) * scale) / GIB

        fitting = [record for record in at if peak(predicted(record)) * GIB <= self._gpu.memory_bytes]
        used = (fitting or at)[0]
        numbers = predicted(used)
        encode, decode = (
            SideFlops(round(side.linear * scale), round(side.attention * scale))
            for side in (numbers.encode, numbers.decode)
        )
        return used, (encode, decode), peak(numbers)


def _blocks(name: str) -> object:
    """What two models share whose time for each token is the same: the blocks and the patch of ViToks."""
    entry = find(name)
    if entry.family != "vitok":
        return entry.name
    variant = parse_variant(entry.architecture)
    return variant.encoder, variant.decoder, variant.patch
