"""What an image set passes over: every file of a folder or an archive that is not taken is counted by its reason.

A file is taken as an image by the suffix of its name (``content.SUFFIXES``), whatever it holds. No list says which of
the others look like images: all of them are counted, by their suffix.
"""

from __future__ import annotations

from collections.abc import Mapping

HIDDEN = "hidden"
HIDDEN_FOLDER = "hidden folder"
LINKED_FOLDER = "linked folder"
LINK_WITHOUT_TARGET = "link without a target"
REPLACED = "replaced by a later one of the same name"
SPECIAL = "special file"
_LONGEST_SUFFIX = 8
_MOST_REASONS = 12


def reason_of(path: str) -> str:
    """Why a file is no image by its name: hidden, or its suffix without the dot."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    if any(part.startswith(".") for part in parts):
        return HIDDEN
    _, dot, suffix = parts[-1].rpartition(".") if parts else ("", "", "")
    if not dot:
        return "without a suffix"
    return suffix.lower() if suffix.isalnum() and len(suffix) <= _LONGEST_SUFFIX else "with another suffix"


def sentence(counts: Mapping[str, int]) -> str:
    """Such as ``3 files left out: 2 heic, 1 link without a target``; empty if none were."""
    total = sum(counts.values())
    if not total:
        return ""
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{count} {reason}" for reason, count in most[:_MOST_REASONS]]
    if others := sum(count for _, count in most[_MOST_REASONS:]):
        parts.append(f"{others} for other reasons")
    return f"{total} file{'s' if total != 1 else ''} left out: {', '.join(parts)}"


def in_brackets(counts: Mapping[str, int]) -> str:
    """The sentence after what else stands in the brackets of an error."""
    return f"; {sentence(counts)}" if counts else ""
