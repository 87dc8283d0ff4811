"""The same measurement of several tokenizers, of which one that cannot be had here keeps no other from its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vitok_lib.errors import RequestError
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.registry import find


def configurations(names: Sequence[str], *, window: int | str | None = None, **options: Any) -> list[RunConfig]:
    """A configuration for each name, with those of the ``options`` that apply to its family.

    Codecs and folders have no device, dtype or weights; a ``window`` is a setting of ViToks, -1 means none.

    Raises:
        RequestError: a name is not known.
    """
    configs = []
    for name in names:
        family = find(name).family
        own = {} if family in ("codec", "folder") else dict(options)
        if family == "vitok" and window != -1:
            own["window"] = window
        configs.append(RunConfig(name=name, **own))
    return configs


def measure_each(
    configs: Sequence[RunConfig], measure: Callable[[RunConfig], Record]
) -> tuple[list[Record], dict[str, str]]:
    """The records that ``measure`` makes, and by tokenizer the sentence of each that it refused.

    Raises:
        RequestError: no record was made.
    """
    records, refused = [], {}
    for config in configs:
        try:
            records.append(measure(config))
        except RequestError as error:
            refused[config.name] = str(error)
    if not records:
        raise RequestError("; ".join(dict.fromkeys(refused.values())) or "tokenizers is empty; name at least one")
    return records, refused
