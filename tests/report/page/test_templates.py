"""Sentences from templates: parts stay parts, and the text around them reads as it is meant."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from vitok_lib.records.schema import Kind
from vitok_lib.report.page.content import Code, Note, Number
from vitok_lib.report.page.templates import Sentences

GAIN = Number("2.00×", Kind.DERIVED, "derived: a ratio", "record-a", interval="[1.9, 2.1]")
TEXT = """
{# A comment is for whoever mends the template. #}
{% macro inner(gain) %}{{ gain }} as fast{% endmacro %}

{% macro fastest(name, gain, near=none, names=()) %}
{{ name }} is
{{ inner(gain) }}
{% if near %}
; near {{ near }}
{% endif %}
{% if names %}
, of {{ names | listed }}
{% endif %}
.
{% endmacro %}
"""


@pytest.fixture
def say(tmp_path: Path) -> Sentences:
    file = tmp_path / "speed.jinja"
    file.write_text(TEXT, encoding="utf-8")
    return Sentences(file)


def test_a_number_passes_through_with_its_evidence_level_and_link(say: Sentences) -> None:
    assert say("fastest", name="fast", gain=GAIN) == ("fast is ", GAIN, " as fast.")


def test_a_sentence_and_a_list_of_parts_are_spliced_in(say: Sentences) -> None:
    note, code = Note("slow"), Code("vitok run speed")
    found = say("fastest", name=("the ", code), gain=3, near=(GAIN, " of ", note), names=["a", GAIN, "c"])
    assert found == ("the ", code, " is 3 as fast; near ", GAIN, " of ", note, ", of a, ", GAIN, " and c.")


def test_a_space_that_must_not_break_and_decimals_survive(say: Sentences) -> None:
    assert say("fastest", name="fast, 512\N{NO-BREAK SPACE}px", gain="12 : 1 or .5") == (
        "fast, 512\N{NO-BREAK SPACE}px is 12 : 1 or .5 as fast.",
    )


def test_a_value_that_is_missing_or_unknown_to_the_macro_is_an_error(say: Sentences) -> None:
    with pytest.raises(jinja2.UndefinedError, match="gain"):
        say("fastest", name="fast")
    with pytest.raises(TypeError, match="gian"):
        say("fastest", name="fast", gian=GAIN)
    with pytest.raises(AttributeError, match="slowest"):
        say("slowest")
