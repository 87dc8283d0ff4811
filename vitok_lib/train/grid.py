"""``python -m vitok_lib.train.grid CELL…``: encoder and decoder depth at one training budget, a record a cell.

A cell is the depths of encoder and decoder, such as 2/4. Each is trained from several seeds within the same FLOPs and
judged on held-out images. A grid that was killed goes on when its command is repeated: what is recorded, and what is
trained, is not trained again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Unpack

import torch
from torch import Tensor

from vitok_lib.cost.peak_rates import TERA
from vitok_lib.errors import RequestError
from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.reproduce import Measurement, command
from vitok_lib.measure.quality.request import images_arguments
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, measure_images, reconstructed
from vitok_lib.metrics.pixel import psnr, to_uint8
from vitok_lib.records.config import RunConfig, Weights
from vitok_lib.records.schema import Kind, OutcomeStatus, Record, Value
from vitok_lib.records.store import LOCAL, read_records, results_root
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import check_device, load
from vitok_lib.tokenizers.vitok.checkpoint import ViTok
from vitok_lib.train.build import Built
from vitok_lib.train.cell import architecture, begun, flops_of_a_step, state_file, steps_within, train
from vitok_lib.train.data import TrainingImages

BENCHMARK = "trained-depth"
IMAGES, RULE, RESOLUTION = "wallpapers", "centre-crop", 256
LEAST_SEEDS = 3
USUAL = {"seeds": 4, "flops": 1e12, "threads": 1}
"""Of the grid in the book; the name of a record says what of them it was trained otherwise with."""
PSNR = "psnr|rgb|u8|per-image-mean|v1"


def measure_depth(
    config: RunConfig,
    *,
    seeds: int,
    flops: float,
    images: str | Path | ImageSet,
    resolution: int | str,
    threads: int = 1,
    rule: str | None = None,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Train the ViTok that ``config`` names from each of ``seeds`` seeds, and keep its PSNR on held-out images.

    The record holds ``psnr@seed=K`` and, before the first step, ``psnr_at_start@seed=K``, means over images; the
    ``training_seconds@seed=K`` that its machine took under the load it had; the ``training_budget``, and the
    ``training_steps`` and ``training_flops`` that it came to.
    What is evaluated are the weights in the 16 bits that they are saved in. A record of the same training answers, and
    nothing is trained.

    Args:
        config: the variant, see :func:`vitok_lib.train.cell.architecture`, and the device.
        seeds: how many, from 0 on.
        flops: the budget of each training, forward and backward.
        threads: of torch; equal numbers give equal weights.
        images, resolution, rule, samples, subset_seed, context: as in
            :func:`vitok_lib.measure.studies.image_study.measure_images`.

    Raises:
        RequestError: the request is wrong, the training photographs are missing, or the state kept of an interrupted
            training is of another one.
    """
    if seeds < LEAST_SEEDS:
        raise RequestError(f"seeds (={seeds}) must be {LEAST_SEEDS} or more, since intervals are over seeds")
    if threads < 1:
        raise RequestError(f"threads (={threads}) must be at least 1")
    check_device(config.device)
    steps, own = steps_within(config.name, flops), Context(**context)
    arguments = {"seeds": seeds, "flops": float(flops), "threads": threads}
    image_set, side = sized(opened(images, rule=rule, subset_seed=subset_seed), resolution)
    request = {**images_arguments(image_set, side, samples), **arguments, "study": own.study}
    repeat = command(Measurement("measure_depth", (config,), request))
    if not own.again:
        for record in read_records(own.study, benchmark=BENCHMARK, tokenizer=config.name, outcome=OutcomeStatus.OK):
            if record.provenance is not None and record.provenance.command == repeat:
                own.log(f"{config.name}: from a record")
                return record
    states = [state_file(results_root() / LOCAL / ".training", config.name, seed) for seed in range(seeds)]
    seconds: dict[int, float] = {}

    def trained_seeds(config: RunConfig) -> list[Tokenizer]:
        ends: list[Tokenizer] = []
        starts: list[Tokenizer] = []
        for seed, state in enumerate(states):
            built = begun(config.name, seed, _images(), config.device)
            starts.append(_in_16_bits(built, config))
            train(built, flops, _images(), config.device, state, own.log)
            assert built.training is not None
            seconds[seed] = built.training.seconds
            ends.append(_in_16_bits(built, config))
        return [_named_together(ends), *ends[1:], *starts]

    quantities = [f"{name}@seed={seed}" for name in ("psnr", "psnr_at_start") for seed in range(seeds)]

    def measured(tokenizers: list[Tokenizer], original: Tensor, name: str) -> Result:
        return {
            quantity: psnr(original[0], to_uint8(reconstructed(tokenizer, original))[0])
            for quantity, tokenizer in zip(quantities, tokenizers, strict=True)
        }

    def totals(tokenizers: list[Tokenizer]) -> tuple[Value, ...]:
        taken = steps * flops_of_a_step(config.name)
        return (
            Value(quantity="training_budget", value=flops / TERA, unit="TFLOP", kind=Kind.DERIVED),
            Value(quantity="training_steps", value=steps, unit="steps", kind=Kind.DERIVED),
            Value(quantity="training_flops", value=taken / TERA, unit="TFLOP", kind=Kind.DERIVED),
            *(
                Value(quantity=f"training_seconds@seed={seed}", value=round(each, 1), unit="s", kind=Kind.MEASURED)
                for seed, each in seconds.items()
            ),
        )

    torch.set_num_threads(threads)
    record = measure_images(
        ImageStudy(
            function="measure_depth",
            benchmark=BENCHMARK,
            quantities={quantity: Quantity("dB", PSNR) for quantity in quantities},
            load=trained_seeds,
            tokenizer=lambda tokenizers: tokenizers[0],
            measure=measured,
            totals=totals,
            arguments=arguments,
            usual=USUAL,
        ),
        config,
        images=image_set,
        resolution=side,
        samples=samples,
        **context,
    )
    if record.outcome.status is OutcomeStatus.OK:
        for state in states:
            state.unlink(missing_ok=True)
    return record


def _in_16_bits(built: Built, config: RunConfig) -> Tokenizer:
    """``built`` as it stands, read back from the file that its weights are saved in."""
    with TemporaryDirectory() as folder:
        built.save(Path(folder))
        return load(config.replace(weights=folder))


def _named_together(tokenizers: Sequence[Tokenizer]) -> ViTok:
    """The first of ``tokenizers``, with the digests of the weights of all."""
    first = tokenizers[0]
    assert isinstance(first, ViTok)
    files = {
        f"seed{seed}/{name}": digest
        for seed, each in enumerate(tokenizers)
        for name, digest in each.weights.files.items()
    }
    weights = Weights(source="trained", files=files)
    return ViTok(first.spec, weights, first.settings, first.encoder, first.decoder, first.choices)


@cache
def _images() -> TrainingImages:
    """Once for a grid, and not at all where every cell is recorded."""
    return TrainingImages.load()


def main(arguments: list[str] | None = None) -> int:
    """Train and judge the cells of the command line; 0, 1 where one ended otherwise than ok, 2 for a wrong request."""
    options = _parser().parse_args(arguments)
    try:
        variants = [architecture(cell) for cell in dict.fromkeys(options.cells)]
        for variant in variants:
            steps_within(variant, options.flops)
        records = [_measured(variant, options, lambda line: print(line, flush=True)) for variant in variants]
    except RequestError as error:
        print(f"vitok_lib.train.grid: {error.line}", file=sys.stderr)
        return 2
    return 0 if all(record.outcome.status is OutcomeStatus.OK for record in records) else 1


def _measured(variant: str, options: argparse.Namespace, log: Callable[[str], None]) -> Record:
    record = measure_depth(
        RunConfig(name=variant, device=options.device),
        seeds=options.seeds,
        flops=options.flops,
        threads=options.threads,
        images=IMAGES,
        rule=RULE,
        resolution=RESOLUTION,
        study=options.study,
        log=log,
    )
    for value in record.values:
        log(f"{variant} {value.quantity}: {value.value:g} {value.unit}")
    return record


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vitok_lib.train.grid", description=__doc__)
    parser.add_argument("cells", nargs="+", metavar="CELL", help="depths of encoder and decoder, such as 2/4")
    parser.add_argument(
        "--seeds", type=int, default=USUAL["seeds"], help="trainings of each cell (default: %(default)s)"
    )
    parser.add_argument(
        "--flops", type=float, default=USUAL["flops"], help="budget of each training (default: %(default)g)"
    )
    parser.add_argument("--study", default=LOCAL, help="folder of results that the records go to")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=USUAL["threads"], help="CPU threads (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
