"""The edit distance against its definition, a known corruption, and what is known of any distance."""

from __future__ import annotations

import difflib
from functools import cache

import numpy as np
import pytest

from vitok_lib.metrics.text.edit_distance import edit_distance, exact_match, ned

ALPHABET = "abcé 1"


def _words(seed: int, count: int, most: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(ALPHABET), rng.integers(most + 1))) for _ in range(count)]


@cache
def _by_definition(first: str, second: str) -> int:
    """The recursion that defines it, over all ways to edit."""
    if not first or not second:
        return len(first) + len(second)
    return min(
        _by_definition(first[1:], second) + 1,
        _by_definition(first, second[1:]) + 1,
        _by_definition(first[1:], second[1:]) + (first[0] != second[0]),
    )


def test_it_is_what_the_definition_says() -> None:
    words = _words(0, 30, 8)
    assert all(edit_distance(a, b) == _by_definition(a, b) for a in words for b in words)


def test_the_textbook_pairs() -> None:
    pairs = {("kitten", "sitting"): 3, ("saturday", "sunday"): 3, ("intention", "execution"): 5, ("", "abc"): 3}
    assert {pair: edit_distance(*pair) for pair in pairs} == pairs


@pytest.mark.parametrize("changed", range(9))
def test_foreign_characters_each_cost_one(changed: int) -> None:
    """k characters that the true text does not have need an edit each, and one is enough."""
    true = "Alice 470"
    places = np.random.default_rng(changed).permutation(len(true))[:changed]
    corrupt = "".join("#" if place in places else letter for place, letter in enumerate(true))
    assert ned(corrupt, true) == pytest.approx(changed / 9, abs=1e-15)
    assert exact_match(corrupt, true) == (changed == 0)


@pytest.mark.parametrize("kept", range(9))
def test_what_is_cut_off_costs_its_share(kept: int) -> None:
    assert ned("Alice 470"[:kept], "Alice 470") == pytest.approx((9 - kept) / 9, abs=1e-15)


def test_it_is_a_distance_and_no_longer_than_any_known_edit() -> None:
    words = _words(1, 24, 12)
    for a in words:
        assert edit_distance(a, a) == 0
        for b in words:
            distance = edit_distance(a, b)
            opcodes = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
            edits = sum(max(i1 - i0, j1 - j0) for tag, i0, i1, j0, j1 in opcodes if tag != "equal")
            assert abs(len(a) - len(b)) <= distance <= edits
            assert distance == edit_distance(b, a)
            assert all(distance <= edit_distance(a, c) + edit_distance(c, b) for c in words[:6])
            assert 0 <= ned(a, b) <= 1


def test_nothing_read_where_nothing_stands_is_right() -> None:
    assert ned("", "") == 0
    assert exact_match("", "") == 1


def test_a_chinese_character_is_one_and_its_widths_are_two() -> None:
    """Nothing is normalised: a wide comma is not a narrow one."""
    assert ned("姐姐在河边骑鸟", "姐姐在河边骑马") == pytest.approx(1 / 7)
    assert ned("河边,骑马", "河边，骑马") == pytest.approx(1 / 5)
    assert exact_match("𠮷", "吉") == 0
    assert edit_distance("𠮷", "") == 1


def test_case_and_spaces_count() -> None:
    assert exact_match("alice 470", "Alice 470") == 0
    assert ned("Alice470", "Alice 470") == pytest.approx(1 / 9)
