"""What is asked of a quality measurement: what must be equal for two results to be one, and where the result goes."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from vitok_lib.images.sets import ImageSet, Manifest
from vitok_lib.metrics.signature import METRICS, Metric
from vitok_lib.records.schema import ImagesIdentity, OutcomeStatus, Record, Settings, TokenizerIdentity
from vitok_lib.records.store import LOCAL, record_path
from vitok_lib.tokenizers.interface import Tokenizer

DEFAULT_METRICS = ("psnr", "ssim")


@dataclass(frozen=True)
class Request:
    """One tokenizer, as it is loaded, on the first ``samples`` images of a set at one resolution."""

    tokenizer: Tokenizer
    image_set: ImageSet
    resolution: int
    samples: int | None
    metrics: tuple[Metric, ...]
    study: str

    @cached_property
    def manifest(self) -> Manifest:
        return self.image_set.manifest(self.resolution, self.samples)

    @cached_property
    def tokenizer_identity(self) -> TokenizerIdentity:
        return self.tokenizer.spec.identity(self.tokenizer.weights)

    @cached_property
    def images_identity(self) -> ImagesIdentity:
        return ImagesIdentity(
            name=self.image_set.name,
            description=self.image_set.description,
            count=len(self.manifest.entries),
            manifest_sha256=self.manifest.sha256,
            rule=self.image_set.rule,
        )

    @cached_property
    def settings(self) -> Settings:
        return self.tokenizer.settings.model_copy(update={"batch": 1})

    @property
    def key(self) -> str:
        """A digest of everything that must be equal for a result to belong to this request."""
        parts = [self.image_set.name, str(self.resolution), *(metric.signature for metric in self.metrics)]
        models = (self.tokenizer_identity, self.images_identity, self.settings)
        return hashlib.sha256("\n".join(parts + [model.model_dump_json() for model in models]).encode()).hexdigest()

    def along_with(self, record: Record) -> Request:
        """This request with the metrics that ``record`` holds as well, if it is of the same work."""
        held = [METRICS[value.quantity] for value in record.values if value.quantity in METRICS]
        if not self._is_of_the_same_work(record):
            return self
        return replace(self, metrics=tuple(dict.fromkeys([*held, *self.metrics])))

    def _is_of_the_same_work(self, record: Record) -> bool:
        asked = (self.tokenizer_identity, self.images_identity, self.settings)
        return (record.tokenizer, record.images, record.settings) == asked

    def is_answered_by(self, record: Record) -> bool:
        """Whether ``record`` is of this request, whichever way it ended."""
        if not self._is_of_the_same_work(record):
            return False
        if record.outcome.status is not OutcomeStatus.OK:
            return True
        return {metric.signature for metric in self.metrics} <= {value.signature for value in record.values}

    @property
    def path(self) -> Path:
        """Where the record goes."""
        name = self.tokenizer.spec.name
        return record_path(self.study, self.image_set.name, self.resolution, name, ",".join(self._unusual()))

    def _unusual(self) -> list[str]:
        """What sets this request apart from the default one, for the file name."""
        settings, weights = self.tokenizer.settings, self.tokenizer.weights
        parts = []
        if self.samples is not None and self.samples < len(self.image_set.names()):
            parts.append(f"samples={self.samples}")
        if settings.window is not None:
            parts.append(f"window={settings.window}")
        if settings.dtype not in (None, "float32"):
            parts.append(f"dtype={settings.dtype}")
        if settings.device not in (None, "cpu"):
            parts.append(f"device={settings.device}")
        if weights.source.startswith("random"):
            parts.append(f"weights={weights.source.replace(':', '')}")
        elif weights.source == "file":
            digest = hashlib.sha256("".join(sorted(weights.files.values())).encode()).hexdigest()
            parts.append(f"weights={digest[:8]}")
        return parts

    def command(self, images: str | Path | ImageSet) -> str:
        """The command line that measures the same again; ``images`` as the caller named them."""
        settings = self.tokenizer.settings
        source = Path(images).name if isinstance(images, str | Path) else self.image_set.name
        words = ["vitok", "eval", self.tokenizer.spec.name, "--images", source, "--resolution", str(self.resolution)]
        names = tuple(metric.name for metric in self.metrics)
        optional = {
            "--samples": self.samples,
            "--metrics": ",".join(names) if names != DEFAULT_METRICS else None,
            "--window": settings.window,
            "--dtype": settings.dtype if settings.dtype != "float32" else None,
            "--device": settings.device if settings.device != "cpu" else None,
            "--weights": "random" if self.tokenizer.weights.source.startswith("random") else None,
            "--study": self.study if self.study != LOCAL else None,
        }
        for option, value in optional.items():
            words += [option, str(value)] if value is not None else []
        return shlex.join(words)
