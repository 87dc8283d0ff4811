"""What a tokenizer is before it is loaded, so that what is recorded of it answers without its weights in memory."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from vitok_lib.digest import sha256_of
from vitok_lib.records.config import RANDOM, RELEASED, RunConfig, Settings
from vitok_lib.records.schema import TokenizerIdentity, Weights
from vitok_lib.tokenizers.files import locate, named
from vitok_lib.tokenizers.presets import resolve
from vitok_lib.tokenizers.registry import Entry, describe, find

_FILES = {"vitok": ["encoder.safetensors", "decoder.safetensors"], "pca": ["pca.safetensors"]}
"""Of families whose weight files have names of their own."""


def identify(config: RunConfig) -> tuple[TokenizerIdentity, Settings] | None:
    """The identity and the settings of a checked ``config``; a field that only loading tells is None.

    None of what only loading tells: a codec, a plug-in, and an auto-encoder with random weights.

    Raises:
        RequestError: there are no such weights.
        UnsupportedError: the tokenizer has no preset of this name.
    """
    entry = find(config.name)
    if entry.family in ("codec", "plugin") or (config.weights == RANDOM and entry.family != "vitok"):
        return None
    if entry.family == "folder":
        from vitok_lib.tokenizers.folder import weights_of

        weights = weights_of(config)
    elif config.weights == RANDOM:
        weights = Weights(source=f"{RANDOM}:{config.seed}")
    else:
        names = _FILES.get(entry.family)
        located = _of_files(entry, config, names) if names else _of_an_autoencoder(entry, config)
        if located is None:
            return None
        weights, files = located
        digests = {
            name: _digest(file, file.stat().st_mtime_ns, file.stat().st_size) for name, file in named(files).items()
        }
        weights = weights.model_copy(update={"files": digests})
    return describe(config.name, config.blocks).identity(weights), resolve(config).settings


def unloaded_weights(config: RunConfig) -> Weights:
    """The weights of a tokenizer that could not be loaded."""
    if config.weights == RANDOM:
        return Weights(source=f"{RANDOM}:{config.seed}")
    if config.weights != RELEASED:
        return Weights(source="file")
    return Weights(source="shipped" if find(config.name).sha256 else RELEASED)


def _of_files(entry: Entry, config: RunConfig, names: list[str]) -> tuple[Weights, list[Path]] | None:
    path, weights = locate(entry, config.weights, config.revision, names)
    files = [path] if path.is_file() else [path / name for name in names]
    return (weights, files) if all(file.is_file() for file in files) else None


def _of_an_autoencoder(entry: Entry, config: RunConfig) -> tuple[Weights, list[Path]] | None:
    from vitok_lib.tokenizers.diffusers_classes.autoencoders import INDEX_FILE, SHARDS, WEIGHT_FILE, with_subfolder
    from vitok_lib.tokenizers.diffusers_classes.configurations import CONFIG

    folder, weights = locate(entry, config.weights, config.revision, [CONFIG, WEIGHT_FILE, INDEX_FILE, SHARDS])
    folder = with_subfolder(folder, entry)
    names = {WEIGHT_FILE}
    if not (folder / WEIGHT_FILE).is_file():
        try:
            names = set(json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None  # loading says what is wrong
    files = [folder / name for name in (*sorted(names), CONFIG)]
    return (weights, files) if all(file.is_file() for file in files) else None


@cache
def _digest(file: Path, changed: int, size: int) -> str:
    """Of a file that has not changed since: several gigabytes take a while."""
    return sha256_of(file)
