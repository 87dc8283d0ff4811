"""What is asked of a quality measurement: what must be equal for two results to be one, and where the result goes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vitok_lib.errors import RequestError
from vitok_lib.images.manifest import Manifest, ManifestEntry
from vitok_lib.images.prepare import NATIVE
from vitok_lib.images.sets import ImageSet, check_resolution, is_native
from vitok_lib.measure.common.reproduce import EVAL, Measurement, command
from vitok_lib.measure.common.reuse import Asked
from vitok_lib.measure.quality.lines import Lines, known_lines
from vitok_lib.measure.quality.shards import Shard, journal_of
from vitok_lib.metrics.signature import METRICS, Metric, find_metric, signature_of
from vitok_lib.records.config import RunConfig, Settings
from vitok_lib.records.schema import ImagesIdentity, Record, TokenizerIdentity
from vitok_lib.records.store import record_path
from vitok_lib.tokenizers.identify import identify
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import checked, device_for_metrics, requested_of

DEFAULT_METRICS = ("psnr", "ssim")
_KEY_IN_NAME = 12  # hex digits
ONLY_LOADED = ("parameters", "downsampling", "latent_channels", "compression_ratio")
"""Fields of a tokenizer's identity that its name and weights imply, and that are known for sure once it is loaded."""


@dataclass(frozen=True)
class Request:
    """One tokenizer on the first ``samples`` images of a set at one resolution.

    ``requested`` is its configuration, ``tokenizer`` and ``settings`` what that came to. ``device`` is that of the
    metrics; values do not depend on it, so that a record of a codec answers for any. With a ``shard`` only its images
    are measured; the record is that of all of them.
    """

    requested: RunConfig
    tokenizer: TokenizerIdentity
    settings: Settings
    device: str
    image_set: ImageSet
    resolution: int
    samples: int | None
    metrics: tuple[Metric, ...]
    study: str
    shard: Shard | None = None

    @property
    def batch(self) -> int:
        return self.requested.batch

    @cached_property
    def manifest(self) -> Manifest:
        return self.image_set.manifest(self.resolution, self.samples)

    @cached_property
    def entries(self) -> tuple[ManifestEntry, ...]:
        """The images that are to be measured, in the order of the manifest."""
        shard = self.shard
        return tuple(entry for entry in self.manifest.entries if shard is None or shard.holds(entry.sha256))

    @cached_property
    def images_identity(self) -> ImagesIdentity:
        return images_identity(self.image_set, self.manifest, self.samples)

    @cached_property
    def signatures(self) -> tuple[str, ...]:
        """The signature of each metric, in the order of the metrics."""
        return tuple(signature_of(metric, self.tokenizer.family) for metric in self.metrics)

    @cached_property
    def lines(self) -> Lines | None:
        """The known text of each image, where a metric reads it; RequestError if the set knows none."""
        reading = [metric.name for metric in self.metrics if metric.scope == "text"]
        return known_lines(self.image_set, self.resolution, f"metric '{reading[0]}'") if reading else None

    @property
    def asked(self) -> Asked:
        """What a record must be of to answer; quality does not depend on the machine."""
        return Asked(
            self.requested,
            self.tokenizer,
            self.settings,
            self.images_identity,
            self.signatures,
            memory_of=self.device,
        )

    @property
    def key(self) -> str:
        """A digest of all that a result of one image depends on, except the image."""
        parts = [self.image_set.rule, str(self.resolution), *self.signatures]
        parts += [self.tokenizer.model_dump_json(exclude=set(ONLY_LOADED))]
        parts += [model.model_dump_json() for model in (self.settings, self.requested.anywhere)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def along_with(self, record: Record) -> Request:
        """This request with the metrics that ``record`` holds as well, if it is of the same work."""
        if not self.asked.is_of_the_same_work(record):
            return self
        held = [METRICS[value.quantity] for value in record.values if value.quantity in METRICS]
        return replace(self, metrics=tuple(dict.fromkeys([*held, *self.metrics])))

    @property
    def path(self) -> Path:
        """Where the record goes."""
        return self._place(**subset_of(self.images_identity))

    @property
    def journal_path(self) -> Path:
        """Where results of images are kept until the record is written: one place however many images are asked."""
        record = self._place()
        whole = record.with_name(f"{self.record_stem}.{self.key[:_KEY_IN_NAME]}.partial.jsonl")
        return whole if self.shard is None else journal_of(whole, self.shard)

    @property
    def record_stem(self) -> str:
        """The name of the record of all images, without its suffix, that names of journals begin with."""
        return self._place().name.removesuffix(".json")

    def _place(self, **others: object) -> Path:
        suffix = self.requested.suffix(self.tokenizer.weights, **others)
        return record_path(self.study, self.image_set.name, self.resolution, self.requested.name, suffix)

    def command(self, time_limit: float | None = None) -> str:
        """The command line that measures the same again; ``time_limit`` in seconds where that was what ended it."""
        names = tuple(metric.name for metric in self.metrics)
        request = {
            **images_arguments(self.image_set, self.resolution, self.samples),
            "metrics": ",".join(names) if names != DEFAULT_METRICS else None,
            "study": self.study,
            "time_limit": time_limit,
        }
        return command(Measurement(EVAL, (self.requested.replace(device=self.device),), request))


def request_of(
    given: Tokenizer | RunConfig,
    image_set: ImageSet,
    resolution: int,
    samples: int | None,
    metrics: Sequence[str],
    batch: int | None,
    study: str,
    shard: Shard | None = None,
) -> Request | None:
    """The request of a loaded tokenizer, or of a configuration; None where only loading tells what that comes to.

    Raises:
        RequestError: the configuration, the resolution or a metric is wrong.
    """
    check_resolution(resolution)
    requested = checked(given) if isinstance(given, RunConfig) else requested_of(given)
    requested = requested if batch is None else requested.replace(batch=batch)
    if isinstance(given, RunConfig):
        known = identify(requested)
        if known is None:
            return None
        identity, settings = known
    else:
        identity, settings = given.spec.identity(given.weights), given.settings
    names = list(metrics)
    if not names:
        raise RequestError("metrics is empty; name at least one: 'vitok list metrics' shows them")
    if identity.family == "folder":
        if requested.bytes is not None:
            names.append("bpp")
        elif "bpp" in names:
            raise RequestError(f"bpp of '{requested.name}' needs the streams: --bytes FOLDER, or leave the metric out")
    request = Request(
        requested=requested,
        tokenizer=identity,
        settings=settings.model_copy(update={"batch": requested.batch}),
        device=device_for_metrics(given),
        image_set=image_set,
        resolution=resolution,
        samples=samples,
        metrics=tuple(dict.fromkeys(find_metric(name) for name in names)),
        study=study,
        shard=shard,
    )
    _ = request.lines  # raises before anything is loaded
    return request


def images_identity(image_set: ImageSet, manifest: Manifest, samples: int | None) -> ImagesIdentity:
    """How a record names the first ``samples`` images of a set, whose manifest is given; None: all of them."""
    return ImagesIdentity(
        name=image_set.name,
        description=image_set.description,
        count=len(manifest.entries),
        manifest_sha256=manifest.sha256,
        rule=image_set.rule,
        requested_samples=samples if samples is not None and samples < len(image_set.names()) else None,
        subset_seed=image_set.subset_seed,
        left_out=dict(getattr(image_set, "left_out", {})) or None,
    )


def images_arguments(image_set: ImageSet, resolution: int, samples: int | None) -> dict[str, Any]:
    """The arguments that open the first ``samples`` images of a set again, for the command of a record."""
    return {
        "images": getattr(image_set, "opened_as", None) or image_set.name,
        "resolution": NATIVE.name if is_native(image_set) else resolution,
        "rule": getattr(image_set, "chosen_rule", None),
        "samples": samples,
        "subset_seed": image_set.subset_seed,
    }


def subset_of(images: ImagesIdentity) -> dict[str, int | None]:
    """What a file's name says of a subset; nothing where all images were asked for."""
    if images.requested_samples is None:
        return {}
    return {"samples": images.requested_samples, "subset": images.subset_seed}
