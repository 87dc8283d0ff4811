"""How many tokens of a ViTok went through its matrices at once, and whether an image had more."""

from __future__ import annotations

from vitok_lib.report.data import groups
from vitok_lib.report.data.record_view import Entry
from vitok_lib.tokenizers.vitok.variant import DEFAULT_CHUNK


def chunk_of(entry: Entry) -> int:
    """Tokens that went through a ViTok's matrices at once, 0: all; as requested, as chosen, or the default."""
    settings, chosen = entry.record.settings, entry.record.choices.get("chunk", "").partition(":")[0]
    if settings.chunk is not None:
        return settings.chunk
    return int(chosen) if chosen.isdigit() else _default_chunk(entry)


def _default_chunk(entry: Entry) -> int:
    return DEFAULT_CHUNK["cuda" if (entry.record.settings.device or "").startswith("cuda") else "cpu"]


def fills_a_chunk(entry: Entry) -> bool:
    """Whether an image has more tokens than a chunk takes; where not, in chunks and whole are one execution.

    Where all tokens went at once, the chunk is the default.
    """
    count = groups.tokens(entry)
    return count is not None and count * (entry.record.settings.batch or 1) > (chunk_of(entry) or _default_chunk(entry))


def chunk_text(entry: Entry) -> str:
    """How many tokens of a ViTok went at once, the default too; an empty text of any other tokenizer."""
    chunk = chunk_of(entry)
    return groups.PHRASES["chunk"].format(f"{chunk:,}" if chunk else "all") if groups.variant_of(entry) else ""
