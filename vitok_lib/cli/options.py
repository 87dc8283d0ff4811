"""Options that several commands of ``vitok`` share."""

from __future__ import annotations

from typing import Annotated

import typer

TOKENIZER_HELP = "A name of the registry, a ViTok variant, diffusers:OWNER/REPO, jpeg:q=75, or module:factory."
Window = Annotated[
    int | None, typer.Option(help="Sliding-window radius in tokens of a ViTok; default: full attention.")
]
PathName = Annotated[str | None, typer.Option(help="Of a ViTok, a named way to run it; see: vitok list paths.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
