"""What ties a built book to its records: the digest of every page, and the ids by which its verdicts are found."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

SEAL = "pages.json"
VERDICT_CLASS = "vk-verdict"
"""Of the element that holds a verdict, within that of its claim's :func:`anchor`."""

ANCHOR = "claim-"


def anchor(claim: str) -> str:
    """The id of a claim's element on the page of claims."""
    return f"{ANCHOR}{claim}"


def seal(site: Path) -> None:
    """Write the digest of every page of ``site`` into one file next to them."""
    digests = {page.relative_to(site).as_posix(): digest(page) for page in sorted(site.rglob("*.html"))}
    (site / SEAL).write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
