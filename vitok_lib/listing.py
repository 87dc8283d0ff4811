"""What ``vitok list`` shows: tokenizers, image sets, notebooks, records."""

from __future__ import annotations

from collections.abc import Callable

Row = dict[str, str | int]


def list_tokenizers() -> list[Row]:
    from vitok_lib.tokenizers.registry import REGISTRY, describe

    rows: list[Row] = []
    for name in REGISTRY:
        spec = describe(name)
        rows.append(
            {
                "name": name,
                "family": spec.family,
                "downsampling": spec.downsampling,
                "channels": spec.latent_channels,
                "compression": f"{spec.compression_ratio:g}:1",
                "parameters": spec.parameters or "",
                "source": spec.source,
            }
        )
    return rows


def list_images() -> list[Row]:
    from vitok_lib.images.sets import IMAGE_SETS

    rows: list[Row] = []
    for name, make in IMAGE_SETS.items():
        image_set = make()
        rows.append({"name": name, "images": len(image_set.names()), "description": image_set.description})
    return rows


def list_notebooks() -> list[Row]:
    from vitok_lib.parameters import notebook_sources, read_parameters

    return [
        {"name": source.stem, "parameters": ", ".join(f"{p.name}={p.default!r}" for p in read_parameters(source))}
        for source in notebook_sources()
    ]


def list_records() -> list[Row]:
    from vitok_lib.records.store import iterate, results_root

    return [
        {
            "record": str(path.relative_to(results_root()).with_suffix("")),
            "outcome": record.outcome.status.value,
            "values": ", ".join(f"{value.quantity} {value.value:.4g} ({value.kind})" for value in record.values),
        }
        for path, record in iterate()
    ]


LISTS: dict[str, Callable[[], list[Row]]] = {
    "tokenizers": list_tokenizers,
    "images": list_images,
    "notebooks": list_notebooks,
    "records": list_records,
}
