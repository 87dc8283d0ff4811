"""A notebook's parameters are read from its source and held to."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.parameters import Parameter, checked, convert, find_source, notebook_sources, read_parameters


@pytest.mark.parametrize("source", notebook_sources(), ids=lambda source: source.stem)
def test_every_notebook_declares_parameters_whose_defaults_fit(source: Path) -> None:
    declared = read_parameters(source)
    assert declared
    assert [parameter.convert(parameter.default) for parameter in declared] == [p.default for p in declared]


@pytest.mark.parametrize(
    ("type_name", "text", "value"),
    [
        ("int", "512", 512),
        ("int", -1, -1),
        ("float", "0.5", 0.5),
        ("bool", "true", True),
        ("bool", False, False),
        ("str", 7, "7"),
        ("list[int]", "512, 128", [512, 128]),
        ("list[int]", 512, [512]),
        ("list[str]", "", []),
        ("list[str]", ["a", "b"], ["a", "b"]),
        ("list[float]", "0.5,1", [0.5, 1.0]),
    ],
)
def test_text_is_read_in_the_declared_type(type_name: str, text: Any, value: Any) -> None:
    assert Parameter("p", type_name, None).convert(text) == value


@pytest.mark.parametrize("default", ['"a,b"  # by commas', '""  # by commas', '"a"  # by commas; empty: none'])
def test_a_list_is_empty_only_where_its_default_is_or_its_comment_says_what_that_means(
    default: str, tmp_path: Path
) -> None:
    source = tmp_path / "notebook.py"
    source.write_text(f'# %% tags=["parameters"]\nnames: list[str] = {default}\n\n# %%\n', encoding="utf-8")
    if default.endswith("by commas") and not default.startswith('""'):
        with pytest.raises(RequestError, match="parameter 'names' is empty"):
            convert(source, {"names": ""})
    else:
        assert convert(source, {"names": ""}) == {"names": []}


@pytest.mark.parametrize(
    ("type_name", "value", "named"),
    [
        ("int", "5x", "5x"),
        ("int", 1.5, "1.5"),
        ("int", True, "True"),
        ("float", "a", "a"),
        ("bool", "2", "2"),
        ("list[int]", "512,12a", "12a"),
        ("list[int]", "512,,128", "512,,128"),
        ("float", "nan", "nan"),
        ("list[float]", "1,inf", "inf"),
        ("list[str]", "a,", "a,"),
        ("list[float]", [1.0, None], "None"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_parameter(type_name: str, value: Any, named: str) -> None:
    with pytest.raises(RequestError, match=rf"parameter 'p' .*{re.escape(named)}"):
        Parameter("p", type_name, None).convert(value)


def test_a_name_that_is_not_declared_is_an_error_with_the_nearest() -> None:
    with pytest.raises(RequestError, match="no parameter 'resolutions'; did you mean resolution"):
        convert(find_source("div8k"), {"resolutions": 1})


def test_inside_a_notebook_only_values_count_as_parameters() -> None:
    variables = {"resolution": "64", "_private": 1, "In": [], "os": ModuleType("os"), "function": print}
    assert checked("div8k", variables).resolution == "64"
