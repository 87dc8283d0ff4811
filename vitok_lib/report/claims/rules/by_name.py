"""The rules by the names that ``claims.yml`` uses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vitok_lib.report.claims.rules import (
    bottleneck,
    capacity,
    compare,
    document,
    quality,
)

Rules = Annotated[
    compare.Compare
    | compare.Latent
    | quality.Measured
    | quality.AtEqualRate
    | quality.Rises
    | quality.FewImages
    | capacity.Fits
    | bottleneck.Convolutions
    | bottleneck.AttentionIsMinor
    | document.OneProtocol
    | document.OneResolution
    | document.Counts
    | document.RatesOfModels
    | document.Float8Memory
    | document.BestEverywhere,
    Field(discriminator="name"),
]
"""Every rule; its ``name`` tells which."""
