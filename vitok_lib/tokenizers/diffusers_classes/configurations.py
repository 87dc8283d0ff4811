"""The published configurations of diffusers' auto-encoders, which are read without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.registry import SHIPPED, Entry

CONFIG = "config.json"
CONFIGS = Path(__file__).with_name("configs")
"""The published configuration of each auto-encoder of the registry; RAE's without the statistics of its latent, which
its weight file holds too."""


def configuration_file(entry: Entry) -> Path:
    """The configuration that comes with this library, or else the one in the hub cache; nothing is fetched.

    Raises:
        RequestError: there is neither.
    """
    for file in (SHIPPED / entry.name / CONFIG, CONFIGS / f"{entry.name}.json"):
        if file.is_file():
            return file
    from huggingface_hub import try_to_load_from_cache

    assert entry.repository is not None
    path = f"{entry.subfolder}/{CONFIG}" if entry.subfolder else CONFIG
    try:
        cached = try_to_load_from_cache(entry.repository, path, revision=entry.revision)
    except ValueError as error:
        raise RequestError(f"'{entry.name}' names no place on the hub ({error})") from error
    if not isinstance(cached, str):
        raise RequestError(
            f"the configuration of '{entry.name}' is not in the hub cache; "
            f"fetch it with 'hf download {entry.repository} {path}'"
        )
    return Path(cached)


def is_of_the_library(file: Path) -> bool:
    """Whether the configuration belongs to this library, whose commit a record names."""
    return file.is_relative_to(SHIPPED) or file.is_relative_to(CONFIGS)


def read_configuration(file: Path) -> dict[str, Any]:
    """A ``config.json`` of diffusers.

    Raises:
        RequestError: there is none, or it is no JSON object.
    """
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(f"'{file}' cannot be read as a diffusers configuration ({reason})") from error
    return config
