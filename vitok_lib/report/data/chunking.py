"""How many tokens of a ViTok went through its matrices at a time, and whether that cut anything."""

from __future__ import annotations

from vitok_lib.report.data import groups
from vitok_lib.report.data.record_view import Entry
from vitok_lib.tokenizers.vitok.variant import DEFAULT_CHUNK


def chunk_of(entry: Entry) -> int:
    """Tokens that went through a ViTok's matrices at a time, 0: all; as asked, as chosen, or as is the default."""
    settings, chosen = entry.record.settings, entry.record.choices.get("chunk", "").partition(":")[0]
    if settings.chunk is not None:
        return settings.chunk
    return int(chosen) if chosen.isdigit() else _default_chunk(entry)


def _default_chunk(entry: Entry) -> int:
    return DEFAULT_CHUNK["cuda" if (entry.record.settings.device or "").startswith("cuda") else "cpu"]


def fills_a_chunk(entry: Entry) -> bool:
    """Whether an image has more tokens than a chunk takes; where not, in chunks and whole are one execution.

    Where all went at a time, the chunk is that which there would have been.
    """
    count = groups.tokens(entry)
    return count is not None and count * (entry.record.settings.batch or 1) > (chunk_of(entry) or _default_chunk(entry))


def chunk_words(entry: Entry) -> str:
    """How many tokens of a ViTok went at a time, the default too; an empty text of any other tokenizer."""
    chunk = chunk_of(entry)
    return groups.WORDS["chunk"].format(f"{chunk:,}" if chunk else "all") if groups.variant_of(entry) else ""
