"""Weight files: finding them, checking that they are what the registry says, and naming what is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

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
            raise RequestError(
                f"weights '{weights}' of tokenizer '{entry.name}' do not exist; "
                "give 'released', 'random', or the path of a file or folder"
            )
        return path, Weights(source="file")
    if entry.sha256 is not None:
        return SHIPPED / entry.name, Weights(source="shipped")
    if entry.repository is None:
        raise RequestError(f"'{entry.name}' names no released weights; give weights 'random' or a file or folder")
    return _download(entry.repository, revision or entry.revision, patterns)


def _download(repository: str, revision: str | None, patterns: list[str]) -> tuple[Path, Weights]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RequestError(
            f"cannot fetch '{repository}' at revision '{revision}' from the hub ({reason}); "
            "check the network and the access token (HF_TOKEN), or give weights as a folder, or 'random'"
        ) from error
    return folder, Weights(source="released", repository=repository, revision=folder.name)


def with_digests(weights: Weights, files: list[Path], expected: dict[str, str] | None) -> Weights:
    """``weights`` with the sha256 of each file.

    Raises:
        RequestError: a shipped file differs from the digest in the registry.
    """
    digests = {}
    for file in files:
        with file.open("rb") as stream:
            digests[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
        if weights.source == "shipped" and expected is not None and expected.get(file.name) != digests[file.name]:
            raise RequestError(f"weight file '{file}' is not the one that was shipped (sha256 differs); reinstall")
    return weights.model_copy(update={"files": digests})


def read_tensors(file: Path, wanted: dict[str, tuple[int, ...]], device: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on ``device`` in ``dtype``, converted one at a time.

    Args:
        wanted: the shape of each key that the file must hold.

    Raises:
        RequestError: the file cannot be read, or its keys are missing, surplus or misshapen; they are named.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt", device=device) as stored:
            shapes = {key: tuple(stored.get_slice(key).get_shape()) for key in stored.keys()}  # noqa: SIM118
            _check_keys(file, shapes, wanted)
            return {key: stored.get_tensor(key).to(dtype) for key in wanted}
    except (SafetensorError, OSError) as error:
        size = file.stat().st_size if file.exists() else 0
        raise RequestError(
            f"weight file '{file}' ({size} bytes) cannot be read as safetensors ({error}); fetch it again"
        ) from error


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
