"""Options that several commands of ``vitok`` share, and the configuration that they make."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import results_root

TOKENIZER_HELP = (
    "A name of the registry, a ViTok variant, diffusers:OWNER/REPO, jpeg:q=75, folder:PATH, or module:factory."
)
Tokenizers = Annotated[list[str], typer.Argument(help=TOKENIZER_HELP)]
Images = Annotated[str, typer.Option(help="An image set's name, a folder, an archive, or hub:OWNER/NAME.")]
Resolution = Annotated[str, typer.Option(help="Cap of the longest side in pixels; native: no image is resized.")]
Rule = Annotated[str | None, typer.Option(help="How images get their size: cap or centre-crop.")]
Samples = Annotated[int | None, typer.Option(help="Only the first so many images.")]
SubsetSeed = Annotated[
    int | None, typer.Option(help="Take them in a seeded order; a smaller subset starts a larger one.")
]
Metrics = Annotated[str, typer.Option(help="Names, separated by commas; see: vitok list metrics.")]
Study = Annotated[str, typer.Option(help="Folder of results that the records go to.")]
Results = Annotated[
    str | None,
    typer.Option(help="Where the studies lie: a folder, or a URL such as s3://bucket/folder; default: $VITOK_RESULTS."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Cluster = Annotated[
    str | None,
    typer.Option(help="Measure on a Ray cluster: its address, or local for processes of this machine."),
]
Gpus = Annotated[int | None, typer.Option(help="So many GPUs, of this machine unless --cluster names others.")]
Again = Annotated[bool, typer.Option("--again", help="Measure also what is recorded.")]
_VITOK, _KL = "ViTok: ", "Convolutional auto-encoders: "
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "preset": (str | None, typer.Option("--preset", help=f"{_VITOK}a named configuration; see: vitok list presets.")),
    "path": (str | None, typer.Option("--path", hidden=True, help="The older name of --preset.")),
    "window": (
        str | None,
        typer.Option(help=f"{_VITOK}radius in tokens, or in rows and columns as in 2d:8; default: full attention."),
    ),
    "blocks": (
        str | None,
        typer.Option(help=f"{_VITOK}first blocks of encoder and decoder to keep, such as 2/3; default: all."),
    ),
    "precision": (str | None, typer.Option(help=f"{_VITOK}fp8 for matrix products in 8-bit floats.")),
    "compile": (str | None, typer.Option(help=f"{_VITOK}a mode of torch.compile, such as default.")),
    "attention": (str | None, typer.Option(help="The attention kernel; default: automatic.")),
    "folded": (bool | None, typer.Option(help=f"{_VITOK}norms and layer scale folded into the matrices.")),
    "chunk": (int | None, typer.Option(help=f"{_VITOK}tokens at a time, 0 for all; default: automatic.")),
    "fused": (bool | None, typer.Option(help=f"{_VITOK}Triton kernels between the matrices; CUDA.")),
    "graphs": (bool | None, typer.Option(help=f"{_VITOK}CUDA graphs where launches take longer than kernels.")),
    "tiling": (bool, typer.Option("--tiling", help=f"{_KL}diffusers' own overlapping tiles.")),
    "tile": (str | None, typer.Option(help="Size and overlap of tiles in pixels, such as 512/64; default: untiled.")),
    "strips": (bool, typer.Option("--strips", help="AutoencoderKL: layers strip by strip, equal results.")),
    "slicing": (bool, typer.Option("--slicing", help=f"{_KL}image by image.")),
    "posterior": (str, typer.Option(help="KL auto-encoders: mode or sample.")),
    "batch": (int, typer.Option(help="Images of one size that go through together.")),
    "dtype": (str, typer.Option(help="Of parameters and activations.")),
    "device": (str, typer.Option(help="Such as cpu or cuda.")),
    "weights": (str, typer.Option(help="released, random, or a file or folder.")),
    "revision": (str | None, typer.Option(help="Of weights from the hub: a commit, branch or tag.")),
    "bytes": (str | None, typer.Option("--bytes", help="folder:PATH: the folder of streams, whose sizes give bpp.")),
    "seed": (int, typer.Option(help="Of random weights and of a sampled posterior.")),
}
"""Every field of a configuration but the name, in the order of the help."""


def keep_results_at(place: str | None) -> None:
    """Make ``place`` that of the results, for this process and those that it starts.

    Raises:
        RequestError: it is a URL that cannot be one of results.
    """
    if place is not None:
        os.environ["VITOK_RESULTS"] = place
        results_root()


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with an option for every field of a configuration, which it gets as ``options`` by name."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "options"]
    shared = []
    for name, (kind, option) in _OPTIONS.items():
        default = RunConfig.model_fields[name].default if name != "path" else None
        annotation = Annotated[kind, option]  # type: ignore[valid-type]
        shared.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    required = [parameter for parameter in parameters if parameter.default is inspect.Parameter.empty]
    optional = [parameter for parameter in parameters if parameter.default is not inspect.Parameter.empty]

    @wraps(command)
    def called(**values: Any) -> None:
        options = {name: values.pop(name) for name in _OPTIONS}
        older = options.pop("path")
        options["preset"] = older if options["preset"] is None else options["preset"]
        command(**values, options=options)

    called.__signature__ = signature.replace(parameters=[*required, *shared, *optional])  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*required, *shared, *optional)}
    return called
