"""The command of a record repeats it: parsed, it gives the configuration that was asked for."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import FUNCTIONS, Measurement, command, parse
from vitok_lib.project import ROOT
from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import read_record
from vitok_lib.records.visuals import read_visual
from vitok_lib.tokenizers.load import checked
from vitok_lib.tokenizers.presets import resolve

EVERYTHING = RunConfig(
    name="t",
    weights="/a folder/w's.safetensors",
    revision="refs/pr/1",
    preset="fp8",
    device="cuda:1",
    dtype="bfloat16",
    window=0,
    blocks="1/2",
    precision="fp8",
    compile="max-autotune",
    attention="math",
    folded=False,
    chunk=0,
    fused=True,
    graphs=False,
    batch=4,
    tiling=True,
    tile="512/64",
    strips=True,
    slicing=True,
    posterior="sample",
    seed=7,
    bytes="/a folder/str'eams",
)
"""Every field is another than by default."""
PLAIN = RunConfig(name="u", preset="reference")


def committed() -> list[Path]:
    files = sorted((ROOT / "results").glob("*/*/*.json"))
    return [file for file in files if read_record(file).provenance is not None]


@pytest.mark.parametrize("file", committed(), ids=lambda file: "/".join(file.parts[-3:]))
def test_the_command_of_every_committed_record_gives_its_configuration_back(file: Path) -> None:
    record = read_record(file)
    assert record.provenance is not None
    measurement = parse(record.provenance.command)
    assert parse(command(measurement)) == measurement
    if record.requested is not None:
        # Others of its run may have left the registry since.
        own = [config for config in measurement.configs if config.name == record.requested.name]
        assert record.requested in [checked(config) for config in own]
        return
    # Graphs depend on the size of the images, a limit is no configuration, and tiling measures what it compares with.
    apart = {"graphs", "memory_limit_gib", *(("tiling", "chunk") if record.benchmark == "tiling" else ())}
    wanted = record.settings.model_dump(exclude=apart)
    if record.tokenizer.family == "codec":
        wanted["dtype"] = "float32"
    found = [checked(config) for config in measurement.configs if config.name == record.tokenizer.name]
    assert wanted in [resolve(config).settings.model_dump(exclude=apart) for config in found]
    source = record.tokenizer.weights.source.partition(":")[0]
    assert {config.weights for config in found} == {"random" if source == "random" else "released"}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "results").glob("*/visuals/*/*/visual.json")), ids=lambda file: file.parts[-2]
)
def test_the_command_of_committed_pictures_is_read(file: Path) -> None:
    text = read_visual(file).provenance.command
    assert command(parse(text)) == text


REQUESTS = {
    "eval": {
        "images": "a set",
        "resolution": 512,
        "rule": "cap",
        "samples": 8,
        "subset_seed": 3,
        "metrics": "psnr,lpips",
    },
    "measure_speed": {
        "resolution": 1024,
        "height": 512,
        "width": 1024,
        "seconds": 0.5,
        "iterations": 3,
        "image_set": "a set",
        "metrics": ["psnr", "ms-ssim"],
        "study": "h100",
    },
    "measure_profile": {"resolution": 64, "height": 32, "width": 64},
    "measure_memory": {"resolution": 64, "limit_gib": 0.5, "time_limit": 9.0},
    "measure_capacity": {"largest": 4096, "limit_gib": 0.5, "step": 8},
    "measure_tiling": {"images": "photos", "resolution": 512, "samples": 6, "rule": "cap", "subset_seed": 2},
    "measure_latents": {"images": "photos", "resolution": "native", "samples": 6, "subset_seed": 2},
}


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("config", [PLAIN, EVERYTHING], ids=lambda config: config.name)
def test_the_command_of_every_kind_of_measurement_gives_its_configuration_back(what: str, config: RunConfig) -> None:
    measurement = Measurement(what, (config,), REQUESTS[what])
    assert parse(command(measurement)) == measurement


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("field", [field for field in RunConfig.model_fields if field != "name"])
def test_no_field_is_lost_by_itself(what: str, field: str) -> None:
    assert getattr(EVERYTHING, field) != getattr(PLAIN, field)
    config = PLAIN.replace(**{field: getattr(EVERYTHING, field)})
    assert parse(command(Measurement(what, (config,), REQUESTS[what]))).configs == (config,)


def test_a_run_of_several_keeps_all_of_them_in_order() -> None:
    grid = tuple(RunConfig(name=name, preset=preset) for name in "ab" for preset in ("reference", "fast"))
    assert command(Measurement("measure_speed", grid, {"resolution": 64})).startswith("vitok speed a b ")
    orders = itertools.permutations([*grid[:2], EVERYTHING, RunConfig(name="c")])
    for configs in (grid, *orders):
        measurement = Measurement("measure_speed", tuple(configs), {"resolution": 64})
        assert parse(command(measurement)) == measurement
    sized = Measurement("measure_speed", grid, {"resolution": 64, "sizes": [None, None, (48, 64), None]})
    assert parse(command(sized)) == sized


def test_older_forms_are_read() -> None:
    folded = RunConfig(name="t", preset="folded", window=64, device="cuda")
    older = (
        'python -c \'from vitok_lib.measure.speed import *; measure_speed([Contender("t", "folded", {"window": 64}),'
        ' Contender("t", "folded", {"window": 64}, size=(48, 64))], resolution=64, device="cuda", study="h100")\''
    )
    request = {"resolution": 64, "study": "h100", "sizes": [None, (48, 64)]}
    assert parse(older) == Measurement("measure_speed", (folded, folded), request)
    memory = (
        "python -c 'from vitok_lib.measure.memory import measure_memory; "
        'measure_memory("t", resolution=64, options={"chunk": 0})\''
    )
    assert parse(memory) == Measurement("measure_memory", (RunConfig(name="t", chunk=0),), {"resolution": 64})
    assert parse("vitok speed t --resolution 64 --path fast").configs == (RunConfig(name="t", preset="fast"),)
    assert parse("vitok speed t --resolution 64").configs == (RunConfig(name="t", preset="reference"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vitok",
        "vitok eval t --window",
        "vitok eval 't",
        "rm -rf /",
        "python -c 'import os'",
        "python -c 'os.system(\"x\")'",
        "python -c '('",
    ],
)
def test_what_is_no_command_of_a_record_is_refused_and_never_run(text: str) -> None:
    with pytest.raises(RequestError, match="command"):
        parse(text)


def test_every_function_is_where_its_command_imports_it_from() -> None:
    from importlib import import_module

    for function, module in FUNCTIONS.items():
        assert callable(getattr(import_module(module), function))
