"""What is asked of a quality measurement: what must be equal for two results to be one, and where the result goes."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from vitok_lib.images.manifest import Manifest
from vitok_lib.images.sets import ImageSet
from vitok_lib.metrics.signature import METRICS, Metric, signature_of
from vitok_lib.records.schema import ImagesIdentity, OutcomeStatus, Record, Settings, TokenizerIdentity
from vitok_lib.records.store import LOCAL, record_path
from vitok_lib.tokenizers.interface import Tokenizer

DEFAULT_METRICS = ("psnr", "ssim")
_KEY_IN_NAME = 12  # hex digits


@dataclass(frozen=True)
class Request:
    """One tokenizer, as it is loaded, on the first ``samples`` images of a set at one resolution."""

    tokenizer: Tokenizer
    image_set: ImageSet
    resolution: int
    samples: int | None
    metrics: tuple[Metric, ...]
    study: str
    batch: int = 1

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
            subset_seed=self.image_set.subset_seed,
            left_out=dict(getattr(self.image_set, "left_out", {})) or None,
        )

    @cached_property
    def settings(self) -> Settings:
        return self.tokenizer.settings.model_copy(update={"batch": self.batch})

    @cached_property
    def signatures(self) -> tuple[str, ...]:
        """The signature of each metric, in the order of the metrics."""
        return tuple(signature_of(metric, self.tokenizer.spec.family) for metric in self.metrics)

    @property
    def key(self) -> str:
        """A digest of all that a result of one image depends on, except the image."""
        parts = [self.image_set.rule, str(self.resolution), *self.signatures]
        models = (self.tokenizer_identity, self.settings)
        return hashlib.sha256("\n".join(parts + [model.model_dump_json() for model in models]).encode()).hexdigest()

    def along_with(self, record: Record) -> Request:
        """This request with the metrics that ``record`` holds as well, if it is of the same work."""
        if not self._is_of_the_same_work(record):
            return self
        held = [METRICS[value.quantity] for value in record.values if value.quantity in METRICS]
        return replace(self, metrics=tuple(dict.fromkeys([*held, *self.metrics])))

    def _is_of_the_same_work(self, record: Record) -> bool:
        asked = (self.tokenizer_identity, self.images_identity, self.settings)
        images = record.images.model_copy(update={"left_out": self.images_identity.left_out})
        return (record.tokenizer, images, record.settings) == asked

    def is_answered_by(self, record: Record) -> bool:
        """Whether ``record`` is of this request, whichever way it ended."""
        return self._is_of_the_same_work(record) and set(self.signatures) <= set(record.metrics)

    @property
    def path(self) -> Path:
        """Where the record goes."""
        return self._place([*self._subset(), *self._unusual()])

    @property
    def journal_path(self) -> Path:
        """Where results of images are kept until the record is written: one place however many images are asked."""
        record = self._place(self._unusual())
        return record.with_name(f"{record.name.removesuffix('.json')}.{self.key[:_KEY_IN_NAME]}.partial.jsonl")

    def _place(self, settings: list[str]) -> Path:
        name = self.tokenizer.spec.name
        return record_path(self.study, self.image_set.name, self.resolution, name, ",".join(settings))

    def _subset(self) -> list[str]:
        """How the images differ from the whole set."""
        if self.samples is None or self.samples >= len(self.image_set.names()):
            return []
        seed = self.image_set.subset_seed
        return [f"samples={self.samples}", *([f"subset={seed}"] if seed is not None else [])]

    def _unusual(self) -> list[str]:
        """How the tokenizer is run otherwise than by default."""
        settings, weights = self.settings, self.tokenizer.weights
        named = {
            "path": settings.preset,
            "window": settings.window,
            "dtype": settings.dtype if settings.dtype != "float32" else None,
            "device": settings.device if settings.device != "cpu" else None,
            "batch": self.batch if self.batch != 1 else None,
            "posterior": settings.posterior,
            **(self._beside_a_path() if settings.preset is None else {}),
        }
        parts = [f"{name}={value}" for name, value in named.items() if value is not None]
        parts += [name for name in ("tiling", "slicing") if getattr(settings, name)]
        if weights.source.startswith("random"):
            parts.append(f"weights={weights.source.replace(':', '')}")
        elif weights.source == "file":
            digest = hashlib.sha256("".join(sorted(weights.files.values())).encode()).hexdigest()
            parts.append(f"weights={digest[:8]}")
        return parts

    def _beside_a_path(self) -> dict[str, object]:
        """Settings of a ViTok that no named path says; what the default is, is None."""
        names = ("precision", "compile", "attention", "folded", "chunk", "graphs")
        return {name: getattr(self.settings, name) for name in names}

    def command(self) -> str:
        """The command line that measures the same again."""
        settings, weights = self.settings, self.tokenizer.weights.source
        source = getattr(self.image_set, "opened_as", None) or self.image_set.name
        words = ["vitok", "eval", self.tokenizer.spec.name, "--images", source, "--resolution", str(self.resolution)]
        names = tuple(metric.name for metric in self.metrics)
        seed = weights.partition(":")[2]
        optional = {
            "--rule": getattr(self.image_set, "chosen_rule", None),
            "--samples": self.samples,
            "--subset-seed": self.image_set.subset_seed,
            "--metrics": ",".join(names) if names != DEFAULT_METRICS else None,
            "--path": settings.preset,
            "--window": settings.window,
            "--dtype": settings.dtype if settings.dtype != "float32" else None,
            "--device": settings.device if settings.device != "cpu" else None,
            "--batch": self.batch if self.batch != 1 else None,
            "--posterior": settings.posterior,
            "--weights": "random" if weights.startswith("random") else None,
            "--seed": seed if weights.startswith("random") and seed != "0" else None,
            "--study": self.study if self.study != LOCAL else None,
        }
        for option, value in optional.items():
            words += [option, str(value)] if value is not None else []
        words += [f"--{name}" for name in ("tiling", "slicing") if getattr(settings, name)]
        return shlex.join(words)


def answered(request: Request, record: Record | None, retry: bool) -> bool:
    """Whether ``record`` is the answer: what ended otherwise than ok is one too, until a retry is asked for."""
    if record is None or not request.is_answered_by(record):
        return False
    return record.outcome.status is OutcomeStatus.OK or not retry
