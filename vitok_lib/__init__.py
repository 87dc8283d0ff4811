"""The reproducible evaluation report for visual tokenizers.

The public surface; each name loads what it needs when it is first used, so that importing this costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitok_lib.errors import RequestError as RequestError
    from vitok_lib.images.sets import open_image_set as open_image_set
    from vitok_lib.measure.cluster.engine import Cluster as Cluster
    from vitok_lib.measure.latents.card import measure_latents as measure_latents
    from vitok_lib.measure.quality.evaluate import evaluate as evaluate
    from vitok_lib.measure.quality.evaluate import reconstruct_pixels as reconstruct_pixels
    from vitok_lib.measure.quality.merging import merge as merge
    from vitok_lib.notebooks import run_notebook as run_notebook
    from vitok_lib.records.schema import Record as Record
    from vitok_lib.records.store import read_records as read_records
    from vitok_lib.tokenizers.interface import Latent as Latent
    from vitok_lib.tokenizers.interface import Tokenizer as Tokenizer
    from vitok_lib.tokenizers.interface import TokenizerSpec as TokenizerSpec
    from vitok_lib.tokenizers.load import load_tokenizer as load_tokenizer
    from vitok_lib.tokenizers.registry import describe as describe

__version__ = "0.1.0"

_HOME = {
    "Cluster": "vitok_lib.measure.cluster.engine",
    "RequestError": "vitok_lib.errors",
    "open_image_set": "vitok_lib.images.sets",
    "evaluate": "vitok_lib.measure.quality.evaluate",
    "measure_latents": "vitok_lib.measure.latents.card",
    "merge": "vitok_lib.measure.quality.merging",
    "reconstruct_pixels": "vitok_lib.measure.quality.evaluate",
    "run_notebook": "vitok_lib.notebooks",
    "Record": "vitok_lib.records.schema",
    "read_records": "vitok_lib.records.store",
    "Latent": "vitok_lib.tokenizers.interface",
    "Tokenizer": "vitok_lib.tokenizers.interface",
    "TokenizerSpec": "vitok_lib.tokenizers.interface",
    "describe": "vitok_lib.tokenizers.registry",
    "load_tokenizer": "vitok_lib.tokenizers.load",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'vitok_lib' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)
