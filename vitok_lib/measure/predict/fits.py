"""Will it fit, how fast? Every tokenizer in the configurations that suit it, on a GPU that need not be here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitok_lib.cost.fits import FITS, GIB, Predicted, configuration_text
from vitok_lib.cost.gpus import Gpu
from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import PLAN, Measurement, command
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.measure.predict.prediction import Plan
from vitok_lib.records.config import RunConfig, Weights
from vitok_lib.records.provenance import provenance
from vitok_lib.records.schema import ImagesIdentity, Kind, Outcome, Record
from vitok_lib.records.store import check_study, record_path, write_record
from vitok_lib.tokenizers.load import checked
from vitok_lib.tokenizers.presets import resolve
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, Entry, describe, find
from vitok_lib.tokenizers.vitok.variant import parse_variant

FULL_ATTENTION_TOKENS, WINDOW = 65_536, 1024
"""Above this many tokens ViTok-v2 was published with a sliding window of this radius in tokens."""


@dataclass(frozen=True)
class Fit:
    """A plan against ``memory`` bytes of a GPU; None: against none. ``gpu`` None: at most its memory is known."""

    config: RunConfig
    plan: Plan
    memory: int | None = None
    gpu: Gpu | None = None

    @property
    def fits(self) -> bool | None:
        """Whether the peak with its margin fits; None where nothing is known."""
        peak = self.plan.bytes_with_margin
        return None if peak is None or self.memory is None else peak <= self.memory

    @property
    def predicted(self) -> Predicted | None:
        """What a record holds of the plan; None where too little is known."""
        plan = self.plan
        if plan.weight_bytes is None or plan.total_bytes is None or plan.bytes_with_margin is None:
            return None
        if plan.encode_work is None or plan.decode_work is None:
            return None
        peaks = (plan.weight_bytes, plan.total_bytes, plan.bytes_with_margin)
        return Predicted(*peaks, plan.encode_work, plan.decode_work, plan.encode_moved, plan.decode_moved)

    @property
    def least_seconds(self) -> float | None:
        """A lower bound: what encoding and decoding take at the peaks of the GPU's data sheet."""
        known = self.predicted
        return None if self.gpu is None or known is None else known.least_seconds(self.gpu, self.plan.precision)

    def as_row(self) -> dict[str, str | int]:
        """As a row of a table; an empty cell is not known."""
        predicted, peak, least = self.plan.total_bytes, self.plan.bytes_with_margin, self.least_seconds
        row: dict[str, str | int] = {
            "tokenizer": self.config.name,
            "resolution": self.plan.resolution,
            "configuration": configuration_text(find(self.config.name).family, self.config),
            "peak": "" if predicted is None else f"{predicted / GIB:.3g} GiB",
            "with margin": "" if peak is None else f"{peak / GIB:.3g} GiB",
        }
        if self.memory is not None:
            row["fits"] = {True: "yes", False: "no", None: ""}[self.fits]
        return row if self.gpu is None else row | {"least s": "" if least is None else f"{least:.3g}"}


def fits_on(
    names: Sequence[str], resolutions: Sequence[int], memory: int | None, gpu: Gpu | None, given: Mapping[str, Any]
) -> list[Fit]:
    """Each tokenizer at each resolution in each configuration that suits it, against ``memory`` bytes.

    Raises:
        RequestError: a name or a size is none, a ``given`` setting does not apply, or the GPU lacks a precision.
    """
    return [
        Fit(config, plan_of(config, resolution), memory, gpu)
        for name in names
        for resolution in resolutions
        for config in _suitable(name, resolution, given)
    ]


def _suitable(name: str, resolution: int, given: Mapping[str, Any]) -> Iterator[RunConfig]:
    """bf16 on a GPU, apart from what is ``given``.

    ViToks with full attention, and with the published window where there are more tokens than they were published
    without one; auto-encoders untiled and in tiles.
    """
    entry = find(name)
    options: dict[str, Any] = {"device": "cuda", "dtype": "bfloat16", **given}
    yield RunConfig(name=name, **options)
    if entry.family == "vitok" and "window" not in given:
        tokens = parse_variant(entry.architecture).tokens(resolution, resolution)
        windows = [WINDOW] if tokens > FULL_ATTENTION_TOKENS else []
        yield from (RunConfig(name=name, **options, window=window) for window in windows)
    if entry.family in CONVOLUTIONAL and not {"tiling", "tile", "strips"} & set(given) and _has_tiles(entry):
        yield RunConfig(name=name, **options, tiling=True)


def _has_tiles(entry: Entry) -> bool:
    from vitok_lib.tokenizers.diffusers_classes.architectures import has_tiles  # diffusers takes seconds to import

    return has_tiles(entry)


def keep(fits: Sequence[Fit], study: str) -> list[Path]:
    """Write each plan as a record of ``study`` whose values are all derived.

    Raises:
        RequestError: the study is none, too little is known of a tokenizer, or the results folder cannot be written.
    """
    check_study(study)
    for fit in fits:
        if fit.predicted is None:
            raise RequestError(
                f"nothing is known of the memory of tokenizer '{fit.config.name}' before it runs, so that there is no "
                "plan of it to keep; leave out the tokenizer, or --study"
            )
    return [_write(fit, study) for fit in fits]


def _write(fit: Fit, study: str) -> Path:
    assert fit.predicted is not None
    config, resolution, weights = checked(fit.config), fit.plan.resolution, Weights(source="none")
    measurement = Measurement(PLAN, (config,), {"resolution": resolution, "study": study})
    record = Record(
        benchmark=FITS,
        resolution=resolution,
        tokenizer=describe(config.name).identity(weights).model_copy(update={"parameters": fit.plan.parameters}),
        images=ImagesIdentity(
            name="none", description="no image: the shapes of a square", rule=f"{resolution}x{resolution} px"
        ),
        requested=config,
        settings=resolve(config).settings,
        outcome=Outcome(kind=Kind.DERIVED),
        values=fit.predicted.values(),
        provenance=provenance(command(measurement), None, {}, datetime.now(UTC), "cpu"),
    )
    path = record_path(study, FITS, resolution, config.name, config.suffix(weights))
    write_record(record, path)
    return path
