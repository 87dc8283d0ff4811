"""The rules by the names that ``claims.yml`` uses."""

from __future__ import annotations

from vitok_lib.report import (
    rules_architecture,
    rules_best,
    rules_bottleneck,
    rules_document,
    rules_fits,
    rules_machine,
    rules_measured,
    rules_trend,
)
from vitok_lib.report.rulings import Rule

RULES: dict[str, Rule] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        rules_measured.measured_value,
        rules_measured.lead,
        rules_measured.better_at_equal_rate,
        rules_measured.shown_side_by_side,
        rules_trend.rises,
        rules_trend.few_images_lower_it,
        rules_machine.machine_value,
        rules_machine.memory,
        rules_machine.window_speedup,
        rules_machine.compile_speedup,
        rules_machine.time_ratio,
        rules_fits.ends_as,
        rules_architecture.tokens,
        rules_architecture.token_ratio,
        rules_architecture.window_ratio,
        rules_architecture.facts,
        rules_architecture.parameters,
        rules_architecture.side_work,
        rules_architecture.side_share,
        rules_bottleneck.no_convolutions,
        rules_bottleneck.attention_is_minor,
        rules_best.best_everywhere,
        rules_document.one_protocol,
        rules_document.one_resolution,
        rules_document.every_n,
        rules_document.completed,
        rules_document.throughput_of_models,
        rules_document.memory_over_resolution,
        rules_document.float8_memory,
    )
}
