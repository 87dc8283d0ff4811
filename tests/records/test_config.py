"""The configuration of a run: what it refuses, how it names a file, and what a record keeps of it."""

from __future__ import annotations

import itertools

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.records.config import RunConfig, Settings, Weights

SHIPPED = Weights(source="shipped")
OTHERS = {
    "weights": "random",
    "revision": "refs/pr/1",
    "preset": "fp8",
    "device": "cuda:1",
    "dtype": "bfloat16",
    "window": 0,
    "blocks": "1/2",
    "precision": "fp8",
    "compile": "default",
    "attention": "math",
    "folded": False,
    "chunk": 0,
    "fused": True,
    "graphs": True,
    "batch": 2,
    "tiling": True,
    "tile": "512/64",
    "strips": True,
    "slicing": True,
    "posterior": "sample",
    "seed": 1,
    "bytes": "streams",
}
"""A value other than the default for every field."""


@pytest.mark.parametrize("field", [field for field, value in OTHERS.items() if isinstance(value, str)])
def test_an_empty_text_is_refused_and_taken_for_no_default(field: str) -> None:
    with pytest.raises(RequestError, match=rf"^{field} \(=''\) is empty"):
        RunConfig(name="t", **{field: ""})


@pytest.mark.parametrize("batch", [0, -1, 2**16 + 1, 10**9, 10**30])
def test_a_batch_that_no_machine_holds_is_refused_at_once(batch: int) -> None:
    with pytest.raises(RequestError, match=rf"^batch \(={batch}\) must be at least 1 image"):
        RunConfig(name="t", batch=batch)


def test_the_defaults_need_no_words() -> None:
    config = RunConfig(name="nano-f16x64")
    assert config.options == {}
    assert config.suffix(SHIPPED) == ""


def test_every_field_is_in_the_name_of_the_file_and_keeps_two_runs_apart() -> None:
    assert set(OTHERS) == set(RunConfig.model_fields) - {"name"}
    names = {RunConfig(name="t", **{field: value}).suffix(SHIPPED) for field, value in OTHERS.items()}
    assert len(names | {""}) == len(OTHERS) + 1
    for one, other in itertools.combinations(OTHERS, 2):
        both = RunConfig(name="t", **{field: OTHERS[field] for field in (one, other)})
        assert both.suffix(SHIPPED) not in names


def test_a_file_name_has_no_separator_and_texts_that_would_read_alike_stay_apart() -> None:
    names = {RunConfig(name="t", revision=revision).suffix(SHIPPED) for revision in ("a/b", "a_b", "a:b")}
    assert len(names) == 3
    assert not any(set(name) & set('/\\:"*?<>| ') for name in names)


def test_files_are_named_by_their_content_wherever_they_lie() -> None:
    one, other = (Weights(source="file", files={"w.safetensors": digest * 64}) for digest in "ab")
    here, there = (RunConfig(name="t", weights=path) for path in ("/here/w.safetensors", "/there/w.safetensors"))
    assert here.suffix(one) == there.suffix(one) != here.suffix(other)
    assert here.is_same_run(there)
    assert one.same_content(Weights(source="file", files={"moved.safetensors": "a" * 64}))
    assert not one.same_content(other)


def test_a_name_made_while_running_is_no_other_value() -> None:
    # Two equal strings that are not one object: identity of objects is no equality.
    posterior = "".join(["mo", "de"])
    assert RunConfig(name="t", posterior=posterior).settings.posterior is None


def test_the_settings_keep_the_seed_of_a_sample_and_of_nothing_else() -> None:
    assert RunConfig(name="t", posterior="sample", seed=7).settings.seed == 7
    assert RunConfig(name="t", weights="random", seed=7).settings.seed is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"batch": 0}, "batch (=0)"),
        ({"window": -1}, "window (=-1)"),
        ({"tile": "512"}, "tile (='512') is size and overlap in pixels, such as 512/64"),
        ({"tile": "64/64"}, "tile (='64/64') overlaps by 64 px, which must be below its 64 px"),
        ({"tile": "064/8"}, "tile (='064/8')"),
        ({"tile": "64/08"}, "tile (='64/08') must be written 64/8"),
        ({"blocks": "2"}, "blocks (='2') must be those to keep of the encoder and of the decoder, such as '2/3'"),
        ({"blocks": "02/3"}, "blocks (='02/3')"),
        ({"blocks": "-1/3"}, "blocks (='-1/3')"),
        ({"chunk": -2}, "chunk (=-2)"),
        ({"seed": -1}, "seed (=-1)"),
        ({"seed": 2**63}, "seed (=9223372036854775808)"),
        ({"windw": 3}, "windw (=3)"),
        ({"window": "wide"}, "window (='wide')"),
        ({"weights": "w\udc80"}, "weights"),
    ],
)
def test_what_is_no_configuration_is_refused_by_name_and_value(fields, named) -> None:
    with pytest.raises(RequestError) as refused:
        RunConfig(name="t", **fields)
    assert named in str(refused.value)


def test_settings_read_the_older_name_of_a_preset() -> None:
    assert Settings.model_validate_json('{"path": "fp8"}') == Settings(preset="fp8")
