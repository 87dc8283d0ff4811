"""``vitok latents``: the latent card."""

from __future__ import annotations

from typing import Any

from vitok_lib.cli.options import (
    Again,
    AsJson,
    Images,
    Resolution,
    Rule,
    Samples,
    Study,
    SubsetSeed,
    Tokenizers,
    configured,
)
from vitok_lib.cli.output import ProgressBar, as_row, end, log, print_rows
from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import LOCAL


@configured
def latents_command(
    tokenizers: Tokenizers,
    images: Images,
    resolution: Resolution,
    *,
    options: dict[str, Any],
    rule: Rule = None,
    samples: Samples = None,
    subset_seed: SubsetSeed = None,
    study: Study = LOCAL,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Measure the values of a latent: their statistics, equivariance, and what noise in them costs."""
    from vitok_lib.images.sets import open_image_set, parse_resolution, sized
    from vitok_lib.tokenizers.registry import check_has_latent

    image_set, side = sized(open_image_set(images, rule=rule, subset_seed=subset_seed), parse_resolution(resolution))
    for name in tokenizers:
        check_has_latent(name)
    # torch takes a second to import: a request that is wrong is refused before.
    from vitok_lib.measure.latents.card import measure_latents

    records = []
    for name in tokenizers:
        with ProgressBar(f"latents of {name} on {image_set.name} at {side} px") as bar:
            record = measure_latents(
                RunConfig(name=name, **options),
                images=image_set,
                resolution=side,
                samples=samples,
                study=study,
                again=again,
                progress=bar.update,
                log=log,
            )
        records.append(record)
    rows = [as_row(record) for record in records]
    print_rows(rows if as_json else transposed(rows), as_json)
    end(records)


def transposed(rows: list[dict[str, str | int]]) -> list[dict[str, str | int]]:
    """A row for each column: a card has more values than a terminal has columns."""
    columns = dict.fromkeys(column for row in rows for column in row)
    columns.pop("tokenizer")
    return [{"": column, **{str(row["tokenizer"]): row.get(column, "") for row in rows}} for column in columns]
