"""What ``vitok list`` shows: tokenizers, image sets, metrics, notebooks, records."""

from __future__ import annotations

from collections.abc import Callable

Row = dict[str, str | int]


def list_tokenizers() -> list[Row]:
    from vitok_lib.tokenizers import plugins
    from vitok_lib.tokenizers.registry import REGISTRY, describe

    rows: list[Row] = []
    for name in (*REGISTRY, *plugins.names()):
        spec = describe(name)
        rows.append(
            {
                "name": name,
                "family": spec.family,
                "downsampling": spec.downsampling or "",
                "channels": spec.latent_channels or "",
                "compression": f"{spec.compression_ratio:g}:1" if spec.compression_ratio else "",
                "parameters": spec.parameters or "",
                "source": spec.source,
            }
        )
    return rows


def list_images() -> list[Row]:
    from vitok_lib.images import plugins
    from vitok_lib.images.facts import IMAGE_SET_FACTS

    known: list[Row] = [
        {"name": facts.name, "images": facts.count or "", "description": facts.description}
        for facts in IMAGE_SET_FACTS.values()
    ]
    return known + [{"name": name, "images": "", "description": "plug-in"} for name in plugins.names()]


def list_metrics() -> list[Row]:
    from vitok_lib.metrics.signature import METRICS

    return [
        {
            "name": metric.name,
            "title": metric.title,
            "unit": metric.unit,
            "signature": metric.signature,
            "source": metric.source,
        }
        for metric in METRICS.values()
    ]


def list_presets() -> list[Row]:
    from vitok_lib.tokenizers.presets import PRESETS

    return [{"name": preset.name, "summary": preset.summary} for preset in PRESETS.values()]


def list_notebooks() -> list[Row]:
    from vitok_lib.parameters import notebook_sources, read_parameters

    return [
        {"name": source.stem, "parameters": ", ".join(f"{p.name}={p.default!r}" for p in read_parameters(source))}
        for source in notebook_sources()
    ]


def list_records() -> list[Row]:
    """Every record; what of the results folder holds none is said on standard error."""
    from vitok_lib.cli.output import log
    from vitok_lib.records.store import iterate, results_root, without_records

    for sentence in without_records():
        log(f"vitok: {sentence}")
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
    "metrics": list_metrics,
    "presets": list_presets,
    "notebooks": list_notebooks,
    "records": list_records,
}
