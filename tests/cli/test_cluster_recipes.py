"""The recipes for clusters: their shells and YAML are well formed, and their commands are ones that vitok takes."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
import yaml
from typer.main import get_command

from vitok_lib.cli.app import app
from vitok_lib.measure.quality.shards import parse_shard
from vitok_lib.project import ROOT

EXAMPLES = ROOT / "docs" / "examples"
SLURM, KUBERNETES = EXAMPLES / "shards.sbatch", EXAMPLES / "shards.yml"


def _job() -> dict[str, object]:
    job = yaml.safe_load(KUBERNETES.read_text(encoding="utf-8"))
    assert isinstance(job, dict)
    return job


def _commands() -> dict[str, str]:
    spec = _job()["spec"]
    assert isinstance(spec, dict)
    (container,) = spec["template"]["spec"]["containers"]
    (script,) = container["args"]
    slurm = SLURM.read_text(encoding="utf-8")
    return {"slurm": slurm[slurm.index("vitok eval") :].replace("\\\n", " "), "kubernetes": script}


def test_the_shell_of_either_is_well_formed() -> None:
    assert subprocess.run(["bash", "-n", str(SLURM)], check=False).returncode == 0
    assert subprocess.run(["bash", "-n", "-c", _commands()["kubernetes"]], check=False).returncode == 0


@pytest.mark.parametrize("recipe", ["slurm", "kubernetes"])
def test_vitok_takes_the_command(recipe: str) -> None:
    words = shlex.split(_commands()[recipe])
    shard = words[words.index("--shard") + 1]
    assert re.fullmatch(r"\$shard|\$\(\(JOB_COMPLETION_INDEX \+ 1\)\)/4", shard)
    evaluation = get_command(app).commands["eval"]  # type: ignore[attr-defined]
    parsed = evaluation.make_context("eval", words[2:]).params
    assert parsed["tokenizers"] == ["5B-f16x64", "flux"]
    assert parsed["device"] == "cuda"


def test_the_indices_of_either_are_all_parts_of_the_whole() -> None:
    array = re.search(r"--array=(\d+)-(\d+)", SLURM.read_text(encoding="utf-8"))
    assert array is not None
    first, last = int(array[1]), int(array[2])
    assert {parse_shard(f"{index}/{last}").index for index in range(first, last + 1)} == set(range(1, last + 1))
    spec = _job()["spec"]
    assert isinstance(spec, dict)
    assert spec["completions"] == spec["parallelism"] == 4
    assert [str(parse_shard(f"{index + 1}/4")) for index in range(spec["completions"])] == ["1/4", "2/4", "3/4", "4/4"]
