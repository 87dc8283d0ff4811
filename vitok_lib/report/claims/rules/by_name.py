"""The rules by the names that ``claims.yml`` uses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vitok_lib.report.claims.rules.compare import Compare
from vitok_lib.report.claims.rules.count import Count
from vitok_lib.report.claims.rules.fits import Fits

Rules = Annotated[Compare | Fits | Count, Field(discriminator="name")]
"""Every rule; its ``name`` tells which."""
