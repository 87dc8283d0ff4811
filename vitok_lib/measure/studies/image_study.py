"""A study of single images: one tokenizer, or a variation of it, goes through an image set, and a record is kept.

What a study measures of an image is its own; how the set is opened, a record answers, failures become outcomes and
values become a record is the same for all, and here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal, Required, TypeVar, Unpack

import numpy as np
import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.images.manifest import Manifest
from vitok_lib.images.sets import ImageSet, check_resolution, load_image, opened, sized
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.outcomes import Batch, Failure, failure_of, of_images, outcome_of
from vitok_lib.measure.common.reproduce import Measurement, command
from vitok_lib.measure.common.reuse import Asked, answer, say_damage
from vitok_lib.measure.quality.aggregate import interval_of_mean, per_image_table
from vitok_lib.measure.quality.metric_suite import as_tensor
from vitok_lib.measure.quality.request import images_arguments, images_identity, subset_of
from vitok_lib.metrics.pixel import from_uint8
from vitok_lib.parameters import as_text
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, Record, Value
from vitok_lib.records.store import atomic, read_record, record_path, write_record
from vitok_lib.tokenizers.identify import unloaded_weights
from vitok_lib.tokenizers.interface import Tokenizer, choices_of
from vitok_lib.tokenizers.load import check_device, checked
from vitok_lib.tokenizers.outputs import check_finite, decoded, encoded
from vitok_lib.tokenizers.registry import describe

Subject = TypeVar("Subject")
Result = dict[str, Any]
"""What an image gives: a number for each quantity that it has one of; NaN, as a missing one, is left out."""


@dataclass(frozen=True)
class Quantity:
    """The ``unit`` and ``signature`` of a quantity, and what is kept of it ``over`` the images."""

    unit: str
    signature: str
    over: Literal["mean", "maximum"] = "mean"


@dataclass(frozen=True)
class ImageStudy(Generic[Subject]):
    """What is measured of each image.

    Args:
        function: the name in :data:`vitok_lib.measure.common.reproduce.FUNCTIONS` of what measures it.
        benchmark: the first part of the name of the records' folder.
        quantities: what an image can give, by name; a record holds those that some image gave.
        load: what goes through the images: a tokenizer, or a group of variations of it; networks of metrics, too, go to
            the device of the configuration that it is given, also next to a codec.
        tokenizer: the one of ``load`` that the record names.
        measure: the result of an image, 8-bit ``[1, 3, H, W]`` on that device, and its name; None leaves it out.
        totals: values of the set as a whole, once all images are measured.
        arrays: the record's arrays, likewise.
        left_out: after "3 of 9 images", what is said of those left out.
        nothing: after "at 512 px", what is said where all images are left out.
        of_machine: whether results are those of one machine, so that only records of the same one answer; of a codec it
            is the CPU, whatever device is asked for.
        arguments: of ``function``, beside those of :func:`measure_images`, which its command repeats.
        usual: of those of ``arguments`` that ``benchmark`` does not name, the usual value, or None where there is none.
            A record's name has each that differs, so that no other choice replaces it.
    """

    function: str
    benchmark: str
    quantities: Mapping[str, Quantity]
    load: Callable[[RunConfig], Subject]
    tokenizer: Callable[[Subject], Tokenizer]
    measure: Callable[[Subject, Tensor, str], Result | None]
    totals: Callable[[Subject], tuple[Value, ...]] = lambda subject: ()
    arrays: Callable[[Subject], dict[str, tuple[float, ...]]] | None = None
    left_out: str = "were left out"
    nothing: str = "no image gives a result"
    of_machine: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    usual: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chosen(self) -> dict[str, str]:
        """The ``arguments`` that differ from the usual ones, as text."""
        texts = {name: (as_text(self.arguments[name]), as_text(value)) for name, value in self.usual.items()}
        return {name: asked for name, (asked, usual) in texts.items() if asked != usual}


class StudyOptions(ContextOptions, total=False):
    """What :func:`measure_images` takes by name, as arguments of a study: ``**asked: Unpack[StudyOptions]``."""

    images: Required[str | Path | ImageSet]
    resolution: Required[int | str]
    rule: str | None
    samples: int | None
    subset_seed: int | None


def measure_images(
    image_study: ImageStudy[Subject],
    config: RunConfig,
    *,
    images: str | Path | ImageSet,
    resolution: int | str,
    rule: str | None = None,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Take ``config`` through ``images``, one at a time, and keep what ``image_study`` measures of them.

    An image that fails is counted and named, and the others go on; out of memory ends the run. Means carry an interval
    over images.

    Args:
        images, rule, subset_seed: an image set, or what :func:`vitok_lib.images.sets.open_image_set` opens.
        resolution, samples: as in :func:`vitok_lib.measure.quality.evaluate.evaluate`.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, the record would replace one of another image set, or the results folder
            cannot be written.
    """
    own, started, asked_device, config = Context(**context), datetime.now(UTC), config.device, checked(config)
    device = config.device if image_study.of_machine else asked_device
    check_device(device)
    running = config.replace(device=device)
    image_set, side = sized(opened(images, rule=rule, subset_seed=subset_seed), resolution)
    check_resolution(side)
    manifest = image_set.manifest(side, samples)
    identity, settings = describe(config.name, config.blocks).identity(unloaded_weights(config)), config.settings
    subject, failure = None, None
    try:
        subject = image_study.load(running)
        tokenizer = image_study.tokenizer(subject)
        identity, settings = tokenizer.spec.identity(tokenizer.weights), tokenizer.settings
    except RequestError:
        raise
    except Exception as error:  # a model raises what it likes
        failure = failure_of(error)
    settings = settings.model_copy(update={"batch": 1})
    shown = images_identity(image_set, manifest, samples)
    suffix = config.suffix(identity.weights, **image_study.chosen, **subset_of(shown))
    path = record_path(own.study, image_study.benchmark, side, identity.name, suffix)
    asked = Asked(
        config,
        identity,
        settings,
        shown,
        tuple(dict.fromkeys(quantity.signature for quantity in image_study.quantities.values())),
        device=device if image_study.of_machine else None,
        memory_of=device,
        arguments=image_study.chosen,
    )
    kept = answer(path, asked, own)
    if kept is not None:
        return kept
    _check_replaces_no_other_set(path, image_set, own)
    say_damage(path, own)
    results: dict[str, Result] = {}
    outcome = Outcome()
    values: tuple[Value, ...] = ()
    arrays: dict[str, tuple[float, ...]] | None = None
    if subject is not None and failure is None:
        results, outcome = _go_through(image_study, subject, image_set, manifest, device, side, own)
        values = _values(image_study.quantities, list(results.values()))
        if results:
            values += image_study.totals(subject)
            arrays = image_study.arrays(subject) if image_study.arrays is not None else None
    elif failure is not None:
        outcome = outcome_of(failure, device, Batch(1, side, side))
    table = path.with_suffix(".parquet") if results else None
    arguments = {
        **images_arguments(image_set, side, samples),
        **image_study.arguments,
        "study": own.study,
    }
    repeat = command(Measurement(image_study.function, (running,), arguments))
    record = Record(
        benchmark=image_study.benchmark,
        resolution=side,
        tokenizer=identity,
        images=shown,
        requested=config,
        arguments=image_study.chosen or None,
        settings=settings,
        outcome=outcome,
        values=values,
        arrays=arrays,
        metrics=asked.signatures,
        choices=dict(choices_of(image_study.tokenizer(subject))) if subject is not None else {},
        samples=table.name if table else None,
        provenance=own.provenance(repeat, started, device),
    )
    if table is not None:
        with atomic(table) as temporary:
            digests = {entry.name: entry.sha256 for entry in manifest.entries}
            per_image_table(results, digests).to_parquet(temporary, index=False, store_schema=False)
    write_record(record, path)
    return record


def _check_replaces_no_other_set(path: Path, image_set: ImageSet, context: Context) -> None:
    """Raise a RequestError where values of another set lie at ``path``, whose name says nothing of the set."""
    if context.again or not path.exists():
        return
    recorded = read_record(path)
    if recorded.values and recorded.images.name != image_set.name:
        raise RequestError(
            f"'{path}' is a record of image set '{recorded.images.name}', which one of '{image_set.name}' would "
            "replace; name another study, or remove that file"
        )


@torch.no_grad()
def reconstructed(tokenizer: Tokenizer, original: Tensor) -> Tensor:
    """What ``tokenizer`` makes of 8-bit images ``[B, 3, H, W]``: of the same shape, about [-1, 1], not clamped.

    Raises:
        RequestError: it gives no images of that shape.
        NonFiniteError: some value is no finite number.
    """
    images = decoded(tokenizer, encoded(tokenizer, from_uint8(original)), original.shape)
    check_finite(images)
    return images


def _go_through(
    study: ImageStudy[Subject],
    subject: Subject,
    image_set: ImageSet,
    manifest: Manifest,
    device: str,
    side: int,
    context: Context,
) -> tuple[dict[str, Result], Outcome]:
    """The result of each image that has one, and how the run ended."""
    results: dict[str, Result] = {}
    failures: dict[str, Failure] = {}
    left_out, total = 0, len(manifest.entries)
    out_of_memory: Outcome | None = None
    for position, entry in enumerate(manifest.entries):
        shape = (side, side)
        try:
            original = as_tensor([load_image(image_set, entry.name, side)]).to(device)
            shape = original.shape[2], original.shape[3]
            result = study.measure(subject, original, entry.name)
        except RequestError:
            raise
        except Exception as error:  # a model raises what it likes
            failure = failure_of(error)
            if failure.status is OutcomeStatus.OOM:
                out_of_memory = outcome_of(failure, device, Batch(1, *shape))
                break
            failures[entry.name] = failure
        else:
            if result is None:
                left_out += 1
            else:
                results[entry.name] = result
        context.progress(position + 1, total)
    counts = {"total": total, "done": len(results)} | ({"failed": len(failures)} if failures else {})
    if out_of_memory is not None:
        return results, out_of_memory.model_copy(update=counts)
    if failures:
        return results, of_images(failures, total).model_copy(update=counts)
    if not results:
        unsupported = Outcome(status=OutcomeStatus.UNSUPPORTED, detail=f"at {side} px {study.nothing}")
        return results, unsupported.model_copy(update=counts)
    detail = f"{left_out} of {total} images {study.left_out}" if left_out else None
    return results, Outcome(detail=detail).model_copy(update=counts)


def _values(quantities: Mapping[str, Quantity], results: list[Result]) -> tuple[Value, ...]:
    values = []
    for name, quantity in quantities.items():
        column = np.array([result[name] for result in results if name in result], np.float64)
        column = column[~np.isnan(column)]
        if column.size == 0:
            continue
        interval, value = None, float(column.max())
        if quantity.over == "mean":
            interval, value = interval_of_mean(column, name), math.fsum(column) / column.size
        values.append(
            Value(
                quantity=name,
                value=value,
                unit=quantity.unit,
                kind=Kind.MEASURED,
                n=column.size,
                interval=interval,
                signature=quantity.signature,
            )
        )
    return tuple(values)
