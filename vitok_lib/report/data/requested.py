"""The configuration that was asked for in a record, also in records from before it was kept."""

from __future__ import annotations

from vitok_lib.records.config import RANDOM, RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.presets import PRESETS

IMPLIED = ("precision", "compile", "attention", "chunk", "folded", "fused", "graphs")
"""What a preset or an automatic choice can set."""


def requested(record: Record) -> RunConfig:
    """The configuration that ``record`` holds; in an older record, its settings but for what a preset or choice set.

    An older record does not say where a file of weights lay, so that ``weights`` of the result is then ``file``.
    """
    if record.requested is not None:
        return record.requested
    fields = {
        name: value
        for name, value in record.settings.model_dump(exclude_none=True).items()
        if name in RunConfig.model_fields and not (name in IMPLIED and _is_implied(record, name))
    }
    source = record.tokenizer.weights.source
    if source.startswith(RANDOM):
        fields |= {"weights": RANDOM, "seed": int(source.partition(":")[2] or 0)}
    elif source == "file":
        fields |= {"weights": source}
    return RunConfig(name=record.tokenizer.name, **fields)


def _is_implied(record: Record, name: str) -> bool:
    """Whether a preset or an automatic choice set ``name``."""
    preset = PRESETS.get(record.settings.preset or "")
    of_the_preset = preset is not None and (
        getattr(preset, name, None) is not None or (preset.published and name in ("attention", "chunk"))
    )
    return of_the_preset or name in record.choices
