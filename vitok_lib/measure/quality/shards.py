"""Parts of one measurement that processes or machines do apart, and what makes one record of them.

An image belongs to a part by its content alone: images that are added to a set later move no other image. Each part has
a journal of its own next to the record, which only one process writes; whoever finds that all images have a result
makes the record and removes the journals. No process has to know of the others.
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.measure.quality.journal import Journal, Result, read_journal
from vitok_lib.measure.quality.pieces import OF_A_PIECE
from vitok_lib.records.object_store import object_store

_TEXT = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_FILE = re.compile(r"\.([0-9a-f]+)\.([0-9]+)-of-([0-9]+)" + OF_A_PIECE + r"\.partial\.jsonl$")
_SHOWN = 3  # files or parts named in one sentence


@dataclass(frozen=True, order=True)
class Shard:
    """Part ``index`` of ``count``, from 1 on."""

    count: int
    index: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, sha256: str) -> bool:
        """Whether the image of this content is in the part: its sha256 (hex) as a number, modulo ``count``."""
        return int(sha256, 16) % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """The part that ``text`` names, such as ``3/16``.

    Raises:
        RequestError: it names none.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise RequestError(f"shard '{text}' must be a part of how many, such as 3/16, from 1/16 to 16/16")
    return Shard(count=int(found[2]), index=int(found[1]))


def journal_of(whole: Path, shard: Shard) -> Path:
    """The journal of a part, next to the journal of the ``whole``."""
    return whole.with_name(whole.name.replace(".partial.", f".{shard.index}-of-{shard.count}.partial."))


def journals_of_parts(whole: Path) -> dict[Path, Shard]:
    """The journals of parts that lie next to the journal of the ``whole``, of the same work."""
    stem = whole.name.removesuffix(".partial.jsonl")
    found = {path: _FILE.search(path.name) for path in _parts(whole.parent, stem)}
    return {path: Shard(count=int(match[3]), index=int(match[2])) for path, match in found.items() if match}


def of_other_work(whole: Path, record_stem: str) -> list[Path]:
    """Journals of parts of the record ``record_stem`` whose metrics, settings, weights or size rule are others."""
    same = journals_of_parts(whole)
    parts = _parts(whole.parent, record_stem)
    named = [path for path in parts if (match := _FILE.search(path.name)) and path.name[: match.start()] == record_stem]
    return [path for path in named if path not in same]


def _parts(folder: Path, stem: str) -> list[Path]:
    """The journals of parts whose names begin with ``stem``; of those in an object store, their pieces."""
    if store := object_store():
        return store.fetch(folder, f"{stem}.")
    return sorted(folder.glob(f"{glob.escape(stem)}.*-of-*.partial.jsonl"))


def known_results(whole: Path, key: str) -> dict[str, Result]:
    """The result of each image that a journal of this work has, by its sha256; a value rather than an error."""
    known: dict[str, Result] = {}
    for path in (whole, *journals_of_parts(whole)):
        for sha256, result in read_journal(path, key).results.items():
            if sha256 not in known or "error" in known[sha256]:
                known[sha256] = result
    return known


def take_up(journal: Journal, key: str, whole: Path, entries: Sequence[ManifestEntry]) -> int:
    """Append to ``journal`` what other journals of the work hold of ``entries``; how many of them several had.

    Raises:
        RequestError: two journals hold different values of one image.
    """
    wanted = {entry.sha256 for entry in entries}
    held_by: dict[str, Path] = {}
    doubled = set()
    for path in (whole, *journals_of_parts(whole)):
        if path == journal.path:
            continue
        new = []
        other = read_journal(path, key)
        for sha256, result in other.results.items():
            known = journal.results.get(sha256)
            if sha256 not in wanted or (known is not None and "error" in result):
                continue
            if known is None or "error" in known:
                new.append(sha256)
                held_by[sha256] = path
                continue
            doubled.add(sha256)
            if _measured(known) != _measured(result):
                raise RequestError(
                    f"'{held_by.get(sha256, journal.path).name}' and '{path.name}' hold different results of the image "
                    f"with sha256 {sha256[:12]}…, which one of them measured by other code or other data; remove that "
                    f"one"
                )
        journal.adopt(other, new)
    return len(doubled)


def _measured(result: Result) -> str:
    """What was measured of an image, in words, where NaN equals NaN; another part has it in a batch with others."""
    return repr(sorted((name, value) for name, value in result.items() if name != "batch"))


def missing(entries: Sequence[ManifestEntry], results: dict[str, Result], counts: Sequence[int]) -> str | None:
    """Which parts lack images, in words; None where none is lacking.

    ``counts`` are into how many parts the work was divided; with none or several the images are counted alone.
    """
    lacking = [entry for entry in entries if entry.sha256 not in results]
    if not lacking:
        return None
    divided = set(counts) - {1}
    if len(divided) != 1:
        return f"{len(lacking)} of {len(entries)} images have no result"
    (count,) = divided
    parts = Counter(int(entry.sha256, 16) % count + 1 for entry in lacking)
    named = [f"{index}/{count} ({images} images)" for index, images in sorted(parts.items())]
    rest = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{len(lacking)} of {len(entries)} images have no result: shards {', '.join(named[:_SHOWN])}{rest}"
