"""How much of a line of text a reader gets right: edit distance, and whether all of it is right.

Levenshtein 1966, "Binary codes capable of correcting deletions, insertions, and reversals", over the longer length, as
competitions of text recognition score lines (Shi et al. 2017, ICDAR RCTW-17; some report one minus it).
"""

from __future__ import annotations


def edit_distance(first: str, second: str) -> int:
    """Insertions, deletions and substitutions of characters that turn one into the other (Wagner & Fischer 1974)."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def ned(recognised: str, true: str) -> float:
    """Normalised edit distance: the edit distance over the longer length, in [0, 1]; 0 where the two are equal."""
    longest = max(len(recognised), len(true))
    return edit_distance(recognised, true) / longest if longest else 0.0


def exact_match(recognised: str, true: str) -> float:
    """1 where every character is right, else 0."""
    return float(recognised == true)
