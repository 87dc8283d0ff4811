"""Who asks for a measurement, where its record goes, and who hears of its progress: the same for every measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from vitok_lib.records import provenance
from vitok_lib.records.schema import Provenance
from vitok_lib.records.store import LOCAL, check_study

Log = Callable[[str], None]
"""Called with a sentence about what is done now."""
Progress = Callable[[int, int], None]
"""Called with the number of images that have a result, and of all."""


def _silent(*_: object) -> None:
    pass


class ContextOptions(TypedDict, total=False):
    """The fields of :class:`Context`, as arguments of a measurement: ``**options: Unpack[ContextOptions]``."""

    study: str
    notebook: str | None
    parameters: Mapping[str, Any]
    again: bool
    log: Log
    progress: Progress


@dataclass(frozen=True)
class Context:
    """``study`` is the folder of ``results`` that records go to.

    ``notebook`` and its ``parameters`` are those that ask, for the provenance. ``again``: measure even what is
    recorded.

    Raises:
        RequestError: the study is no folder name, or that of published figures.
    """

    study: str = LOCAL
    notebook: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False
    log: Log = _silent
    progress: Progress = _silent

    def __post_init__(self) -> None:
        check_study(self.study)

    def provenance(self, command: str, started: datetime, device: str, earlier: float = 0.0) -> Provenance:
        """The provenance of work that ``command`` repeats, that began at ``started`` and ends now.

        ``earlier``: the seconds of what other processes, or this one before an interruption, did of it.
        """
        return provenance.provenance(command, self.notebook, dict(self.parameters), started, device, earlier)
