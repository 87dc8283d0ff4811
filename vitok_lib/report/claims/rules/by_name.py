"""The rules by the names that ``claims.yml`` uses."""

from __future__ import annotations

from vitok_lib.report.claims.rules import (
    architecture,
    best,
    bottleneck,
    document,
    fits,
    machine,
    measured,
    trend,
)
from vitok_lib.report.claims.verdict import Rule

RULES: dict[str, Rule] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        measured.measured_value,
        measured.lead,
        measured.better_at_equal_rate,
        measured.shown_side_by_side,
        trend.rises,
        trend.few_images_lower_it,
        machine.machine_value,
        machine.memory,
        machine.window_speedup,
        machine.compile_speedup,
        machine.time_ratio,
        fits.ends_as,
        architecture.tokens,
        architecture.token_ratio,
        architecture.window_ratio,
        architecture.facts,
        architecture.parameters,
        architecture.side_work,
        architecture.side_share,
        bottleneck.no_convolutions,
        bottleneck.attention_is_minor,
        best.best_everywhere,
        document.one_protocol,
        document.one_resolution,
        document.every_n,
        document.completed,
        document.throughput_of_models,
        document.memory_over_resolution,
        document.float8_memory,
    )
}
