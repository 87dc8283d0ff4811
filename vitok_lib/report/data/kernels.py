"""Which attention kernel was the fastest at the size of a record, where several were timed."""

from __future__ import annotations

from vitok_lib.records.config import attention_choice
from vitok_lib.report.data import groups
from vitok_lib.report.data.record_view import Entry


def fastest_kernel(entry: Entry) -> str:
    """Its name, such as ``flex-128x64``; empty where kernels were not timed. Each one's time is in the record."""
    tokens, window = groups.tokens(entry), entry.record.settings.window
    if tokens is None or window is None:
        return ""
    return entry.record.choices.get(attention_choice(tokens, window), "").partition(":")[0]
