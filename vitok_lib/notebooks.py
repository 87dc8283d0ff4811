"""Running notebooks: parameters in, an executed notebook out, and never half of one.

``python -m vitok_lib.notebooks`` writes the ``.ipynb`` twins of the sources.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from nbformat import NotebookNode

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images.sets import open_image_set
from vitok_lib.metrics.text.recogniser import check_recogniser
from vitok_lib.parameters import as_text, convert, find_source, notebook_sources, read_parameters
from vitok_lib.project import ROOT, in_clone
from vitok_lib.records.store import atomic, check_study

_QUIET = ["--log-level=50"]  # at lower levels the kernel reports its own start and its own shutdown
RUNS = ROOT / "book" / "runs"
RECOGNISER = "recogniser"
"""What ``skip_without`` calls the packages that read text."""


def read_source(source: Path) -> NotebookNode:
    """A percent-format source as a notebook without outputs, equal bytes for equal text."""
    notebook: NotebookNode = jupytext.read(source)
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:02d}"
    notebook.metadata.pop("jupytext", None)
    return notebook


def write_twins() -> None:
    """Write the ``.ipynb`` twin of every source."""
    for source in notebook_sources():
        with atomic(source.with_suffix(".ipynb")) as temporary:
            nbformat.write(read_source(source), temporary)


def run_notebook(name: str, parameters: Mapping[str, Any], output: Path | None = None) -> Path:
    """Execute notebook ``name`` and keep it at ``output`` (default: ``book/runs/<name>.ipynb``).

    A run that fails leaves the last good notebook as it was.

    Raises:
        RequestError: the name, a parameter, or what the notebook asks for is wrong; or it failed.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    source = find_source(name)
    given = convert(source, parameters)
    target = output or RUNS / f"{source.stem}.ipynb"
    try:
        notebook = papermill.execute_notebook(
            read_source(source),
            None,
            given,
            cwd=Path.cwd(),  # paths among the parameters are relative to where the user is
            kernel_name="python3",
            progress_bar=False,
            extra_arguments=_QUIET,
        )
    except PapermillExecutionError as error:
        if error.ename == "RequestError":
            raise RequestError(str(error.evalue)) from error
        raise RequestError(
            f"notebook '{source.stem}' failed in cell {error.exec_count}: {error.ename}: {error.evalue}"
        ) from error
    except DeadKernelError as error:
        raise RequestError(
            f"notebook '{source.stem}' failed: its process died, as it does when the system runs out of memory; "
            "what it had recorded by then is kept"
        ) from error
    defaults = {parameter.name: parameter.default for parameter in read_parameters(source)}
    _finish(notebook, defaults | given)
    with atomic(target) as temporary:
        nbformat.write(notebook, temporary)
    return target


def _finish(notebook: NotebookNode, parameters: dict[str, Any]) -> None:
    """Give the page its own title and drop what differs from run to run."""
    title = notebook.metadata.get("title", "").format(**{name: as_text(value) for name, value in parameters.items()})
    if title and notebook.cells[0].cell_type == "markdown":
        _, newline, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"# {title}{newline}{rest}"
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)


def run_profile(
    profile: str, study: str, report: Callable[[str], None], cluster: Mapping[str, Any] | None = None
) -> list[str]:
    """Execute every notebook of ``profiles/<profile>.yml`` in its order, with records into ``study``.

    An entry that says ``skip_without: SET`` is passed over, with a sentence, where that image set is not installed, and
    one that says ``skip_without: recogniser`` where the packages that read text are not: the report then shows the
    committed records of it. Notebooks with a parameter ``cluster`` are given those of ``cluster``.

    Returns:
        A sentence for each entry that could not run; it keeps none of the others from running.

    Raises:
        RequestError: the profile is not known.
    """
    check_study(study)
    files = {file.stem: file for file in in_clone("profiles").glob("*.yml")}
    if profile not in files:
        raise unknown("profile", profile, files)
    failures = []
    for entry in yaml.safe_load(files[profile].read_text(encoding="utf-8")):
        output = RUNS / f"{entry['output']}.ipynb"
        if reason := _not_installed(entry.get("skip_without")):
            report(f"skipping {entry['notebook']} -> {os.path.relpath(output)}: {reason}")
            continue
        report(f"running {entry['notebook']} -> {os.path.relpath(output)}")
        try:
            elsewhere = _on_cluster(entry, cluster or {})
            if cluster and not elsewhere:
                report(f"{entry['notebook']} takes no cluster and measures on this machine")
            run_notebook(entry["notebook"], entry["parameters"] | elsewhere | {"study": study}, output)
        except RequestError as error:
            failures.append(f"run '{entry['output']}' of profile '{profile}' failed: {error}")
    return failures


def _on_cluster(entry: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters of a cluster that the notebook of ``entry`` takes; GPUs only where it runs on them."""
    defaults = {parameter.name: parameter.default for parameter in read_parameters(find_source(entry["notebook"]))}
    on_cpu = (defaults | entry["parameters"]).get("device") == "cpu"
    return {name: value for name, value in cluster.items() if name in defaults and not (on_cpu and name == "gpus")}


def _not_installed(needed: str | None) -> str | None:
    """Why the images of a set, or the recogniser of text, are not on this machine, or None."""
    if needed is None:
        return None
    try:
        if needed == RECOGNISER:
            check_recogniser()
        else:
            open_image_set(needed)
    except RequestError as error:
        if error.code not in ("images-not-found", "missing-package"):
            raise
        return str(error)
    return None


if __name__ == "__main__":
    write_twins()
