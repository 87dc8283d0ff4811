"""Weight files: finding them, checking that they are what the registry says, and naming what is wrong."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vitok_lib.digest import sha256_of
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Weights
from vitok_lib.tokenizers.registry import SHIPPED, Entry

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def locate(entry: Entry, weights: str | Path, revision: str | None, patterns: list[str]) -> tuple[Path, Weights]:
    """The file or folder that ``weights`` stands for, and its identity without digests.

    Raises:
        RequestError: nothing is there, or the hub cannot be asked.
    """
    if weights != "released":
        path = Path(weights)
        if not path.exists():
            raise no_weights(entry.name, weights)
        return path, Weights(source="file")
    if entry.sha256 is not None:
        return SHIPPED / entry.name, Weights(source="shipped")
    if entry.repository is None:
        raise RequestError(f"'{entry.name}' names no released weights; give weights 'random' or a file or folder")
    if entry.subfolder:
        patterns = [f"{entry.subfolder}/{pattern}" for pattern in patterns]
    snapshot = _download(entry.repository, revision or entry.revision, patterns, entry.gated)
    identity = Weights(source="released", repository=entry.repository, revision=snapshot.name)
    return snapshot / (entry.subfolder or ""), identity


def no_weights(name: str, weights: str | Path) -> RequestError:
    """The error for a path of weights where nothing is."""
    return RequestError(
        f"weights '{weights}' of tokenizer '{name}' do not exist; "
        "give 'released', 'random', or the path of a file or folder",
        code="weights-not-found",
    )


def _download(repository: str, revision: str | None, patterns: list[str], gated: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    licence = f"accept the licence at https://huggingface.co/{repository}"
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except GatedRepoError as error:
        raise RequestError(
            f"'{repository}' is gated on the hub: {licence} and set HF_TOKEN to an access token of the account "
            "that did, or give weights as a folder, or 'random'",
            code="gated-weights",
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RequestError(
            f"cannot fetch '{repository}' at revision '{revision}' from the hub ({reason}); "
            f"check the network and the access token (HF_TOKEN){f', {licence}' if gated else ''}, "
            "or give weights as a folder, or 'random'",
            code="hub-unreachable",
        ) from error


def with_digests(weights: Weights, files: list[Path], expected: dict[str, str] | None) -> Weights:
    """``weights`` with the sha256 of each file.

    Raises:
        RequestError: a shipped file differs from the digest in the registry.
    """
    digests = {}
    for name, file in named(files).items():
        digests[name] = sha256_of(file)
        if weights.source == "shipped" and expected is not None and expected.get(name) != digests[name]:
            raise RequestError(f"weight file '{file}' is not the one that was shipped (sha256 differs); reinstall")
    return weights.model_copy(update={"files": digests})


def named(files: list[Path]) -> dict[str, Path]:
    """``files`` by their path below the folder that all are in: shards of several folders may have one name."""
    folder = os.path.commonpath([file.parent for file in files])
    return {file.relative_to(folder).as_posix(): file for file in files}


def read_tensors(
    file: Path,
    wanted: dict[str, tuple[int, ...]],
    device: str,
    dtype: torch.dtype,
    older_names: Mapping[str, str] = MappingProxyType({}),
    ignored: Collection[str] = (),
) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on ``device``, converted one at a time: floats to ``dtype``, others kept.

    Args:
        wanted: the shape of each key that the file must hold.
        older_names: the key in ``wanted`` for each key that the file may hold instead of it.
        ignored: keys that the file may hold beside them.

    Raises:
        RequestError: the file cannot be read, or its keys are missing, surplus or misshapen; they are named.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt", device=device) as stored:
            held = [name for name in stored.keys() if name not in ignored]  # noqa: SIM118
            names = {older_names.get(name, name): name for name in held}
            shapes = {key: tuple(stored.get_slice(name).get_shape()) for key, name in names.items()}
            _check_keys(file, shapes, wanted)
            return {key: _as_dtype(stored.get_tensor(names[key]), dtype) for key in wanted}
    except (SafetensorError, OSError) as error:
        size = file.stat().st_size if file.exists() else 0
        raise RequestError(
            f"weight file '{file}' ({size} bytes) cannot be read as safetensors ({error}); fetch it again"
        ) from error


def _as_dtype(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def _check_keys(file: Path, shapes: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]]) -> None:
    problems = []
    if missing := sorted(wanted.keys() - shapes.keys()):
        problems.append(f"misses {_few(missing)}")
    if surplus := sorted(shapes.keys() - wanted.keys()):
        problems.append(f"has surplus {_few(surplus)}")
    misshapen = [
        f"{key} {list(shapes[key])} instead of {list(wanted[key])}"
        for key in sorted(wanted.keys() & shapes.keys())
        if shapes[key] != wanted[key]
    ]
    if misshapen:
        problems.append(f"has misshapen {_few(misshapen)}")
    if problems:
        raise RequestError(f"weight file '{file}' {'; '.join(problems)}; is it a checkpoint of another variant?")


def _few(names: list[str], shown: int = 4) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")
