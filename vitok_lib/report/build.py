"""Building the book and making sure that there is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.project import ROOT, in_clone

INDEX = ROOT / "_build" / "html" / "index.html"


def build_book() -> Path:
    """Build ``book/`` with warnings as errors; the page to open.

    Raises:
        RequestError: the build failed, or ended without a page.
    """
    book = in_clone("book")
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(book), "-W", "--keep-going"]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status != 0 or not INDEX.exists() or "<title>" not in INDEX.read_text(encoding="utf-8"):
        raise RequestError(
            f"the book was not built (status {status}); what jupyter-book printed above says why", code="book-failed"
        )
    return INDEX
