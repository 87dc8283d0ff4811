"""Runs the cells of notebooks in this process: of seconds a notebook, a kernel's start and its imports take most."""

from __future__ import annotations

import atexit
import gc
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from IPython.display import display
from IPython.utils.capture import capture_output
from nbformat.v4 import new_output
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines

from vitok_lib.measure.speed import peak_rates


class InThisProcess(Engine):
    """An engine of papermill that starts no kernel; each notebook has names of its own."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any) -> None:
        """Execute every cell of code, keep what it shows, and raise what it raises."""
        shell = InteractiveShell.instance()
        shell.reset()
        for index, cell in enumerate(nb_man.nb.cells):
            nb_man.cell_start(cell, index)
            if cell.cell_type == "code":
                with capture_output() as shown:
                    result = shell.run_cell(cell.source)
                    result.raise_error()
                    if result.result is not None:
                        display(result.result)
                cell.outputs = [new_output("display_data", data=output.data) for output in shown.outputs]
            nb_man.cell_complete(cell, index)


def register() -> None:
    """Make it the engine of this process, which must be one that ends with the tests of notebooks.

    Peak rates, which every notebook of speed measures twice a run, are taken from small products and copies: of the
    usual size they take more time than all else.
    """
    peak_rates.CPU_SIDE, peak_rates.CPU_COPY_BYTES = 256, 2**22
    atexit.register(gc.freeze)  # the process has torch's compiler in memory
    papermill_engines.register(None, InThisProcess)
    select_figure_formats(InteractiveShell.instance(), {"png"})  # as a kernel does
