"""The project's own files agree with one another."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.conftest import SLOW
from vitok_lib.images.sets import IMAGE_SETS
from vitok_lib.notebooks import RECOGNISER
from vitok_lib.parameters import convert, find_source
from vitok_lib.project import ROOT

PROFILES = [f"profiles/{path.name}" for path in sorted((ROOT / "profiles").glob("*.yml"))]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _bounds(requirements: list[str]) -> dict[str, SpecifierSet]:
    parsed = [Requirement(requirement) for requirement in requirements]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


def _declared() -> dict[str, SpecifierSet]:
    extras = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]
    return _bounds(PROJECT["dependencies"] + extras)


def _conda() -> tuple[list[str], list[str]]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    return [entry for entry in entries if isinstance(entry, str)], pip


def test_the_gpu_environment_has_the_bounds_of_pyproject() -> None:
    _, pip = _conda()
    assert "-e .[report,text,gpu]" in pip
    conda = _bounds([entry for entry in pip if not entry.startswith("-")])
    declared = _declared()
    assert conda == {name: declared[name] for name in conda}
    gpu = _bounds(PROJECT["optional-dependencies"]["gpu"])
    assert conda.keys() == gpu.keys() | {"torch"}


def test_the_gpu_environment_has_a_python_that_the_project_supports() -> None:
    python = next(entry.partition("=")[2] for entry in _conda()[0] if entry.startswith("python="))
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_every_dependency_is_constrained_to_a_version_within_its_bounds() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in lines if not line.startswith("#"))
    }
    needed = _declared()
    for name in _bounds(PROJECT["optional-dependencies"]["gpu"]):
        del needed[name]  # a GPU host takes them from environment.yml
    assert {name: pinned.get(name) for name in needed if not needed[name].contains(pinned.get(name, "0"))} == {}


@pytest.mark.parametrize("profile", [ROOT / name for name in PROFILES], ids=lambda path: path.stem)
def test_a_profile_names_notebooks_and_parameters_that_exist(profile: Path) -> None:
    entries = yaml.safe_load(profile.read_text(encoding="utf-8"))
    for entry in entries:
        assert entry.keys() - {"skip_without"} == {"notebook", "output", "parameters"}
        assert entry.get("skip_without", "photos") in {*IMAGE_SETS, RECOGNISER}
        convert(find_source(entry["notebook"]), entry["parameters"])
    outputs = [entry["output"] for entry in entries]
    assert len(set(outputs)) == len(outputs)


def test_make_help_lists_the_targets() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[0] for line in listed.splitlines() if line and not line.startswith("make")}
    assert {"setup", "report", "notebooks", "book", "site", "test", "lint", "clean"} <= targets


class _NoDuplicates(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error; jupyter-book takes the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        keys = [self.construct_object(key, deep) for key in own]
        assert len(set(keys)) == len(keys), f"a key stands twice: {keys}"
        return super().construct_mapping(node, deep)


@pytest.mark.parametrize("name", ["_config.yml", "_toc.yml", "environment.yml", *PROFILES])
def test_no_yaml_file_has_a_key_twice(name: str) -> None:
    assert yaml.load((ROOT / name).read_text(encoding="utf-8"), Loader=_NoDuplicates)


def test_the_readme_names_only_files_and_targets_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", readme):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\(([\w./-]+)\)", readme):
        assert (ROOT / path).exists(), path


def test_the_data_of_the_package_is_in_the_wheel() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = setuptools["package-data"]["vitok_lib"]
    package = ROOT / "vitok_lib"
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    data = {path for path in package.rglob("*") if path.suffix in {".safetensors", ".json", ".csv", ".yml", ".jinja"}}
    assert data <= shipped


def test_the_site_is_deployed_from_committed_records_alone() -> None:
    text = (ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert commands == ["make site"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    prerequisites = dict(re.findall(r"^([a-z]+):([^#\n]*)", makefile, flags=re.MULTILINE))
    assert prerequisites["site"].split() == ["book"]
    assert "notebooks" not in prerequisites["book"]
    assert "vitok check --site" in makefile


def test_the_files_that_are_left_out_of_the_fast_tests_exist() -> None:
    assert [name for name in SLOW if not (ROOT / "tests" / name).exists()] == []
