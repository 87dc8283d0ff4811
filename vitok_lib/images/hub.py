"""Data sets of the Hugging Face hub, downloaded whole and read in place; no code of theirs is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.images.file_set import FileSet, count_of, named_by_content
from vitok_lib.images.files import table
from vitok_lib.images.files.archive import SUFFIXES as ARCHIVES
from vitok_lib.images.files.collection import collect
from vitok_lib.images.files.content import SUFFIXES as IMAGES
from vitok_lib.images.files.content import readable
from vitok_lib.images.files.left_out import in_brackets

PREFIX = "hub:"
_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?P<folder>(/[^/@]+)*)/?(@(?P<revision>[\w./-]+))?")


def open_hub(text: str) -> FileSet:
    """The images of ``hub:OWNER/NAME``, of ``…/SUBFOLDER`` alone, at the revision of ``…@REVISION``.

    They may be files, members of archives, or cells of Parquet files; the set's name ends with the first 8 digits of
    its manifest, and its description names the commit.

    Raises:
        RequestError: the name cannot be read, the hub does not give the data set, or it holds no image.
    """
    match = _NAME.fullmatch(text.removeprefix(PREFIX))
    if match is None or ".." in text.split("/"):
        raise RequestError(
            f"'{readable(text)}' must read hub:OWNER/NAME, hub:OWNER/NAME/SUBFOLDER, or either with @REVISION after it"
        )
    repository, folder = match["repository"], match["folder"].strip("/")
    suffixes = sorted([*IMAGES, *ARCHIVES, table.SUFFIX])
    inside = f"{folder}/" if folder else ""
    patterns = [f"{inside}*{form}" for suffix in suffixes for form in (suffix, suffix.upper())]
    snapshot = download(repository, match["revision"], patterns, "give its images as a folder or an archive")
    files, left_out = collect(snapshot, [f"{inside}*"])
    if not files:
        raise RequestError(
            f"hub data set '{text}' holds no image, no archive and no Parquet file{in_brackets(left_out)}"
        )
    title = "-".join([repository, *folder.split("/")]) if folder else repository
    where = f"The hub data set '{repository}'" + (f", folder '{folder}'," if folder else "")
    found = named_by_content(title, f"{where} at commit {snapshot.name}, {count_of(files)}.", files)
    return replace(found, left_out=left_out)


def download(repository: str, revision: str | None, patterns: Sequence[str], way_out: str) -> Path:
    """The snapshot folder of a data set, named after its commit; from the hub's cache where it is there already.

    Raises:
        RequestError: it is neither on the hub, as far as it can be asked, nor in its cache; ends with ``way_out``.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        found = snapshot_download(repository, repo_type="dataset", revision=revision, allow_patterns=list(patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        at = f" at revision '{revision}'" if revision else ""
        raise RequestError(
            f"cannot fetch data set '{repository}'{at} from the hub ({reason}); "
            f"check the network and the access token (HF_TOKEN), or {way_out}",
            code="hub-unreachable",
        ) from error
    return Path(found)
