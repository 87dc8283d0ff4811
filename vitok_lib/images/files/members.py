"""Which members of an archive are images, as they would lie in a folder once unpacked: links followed, nothing lost."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from vitok_lib.errors import RequestError
from vitok_lib.images.files.content import is_image_name, member_name
from vitok_lib.images.files.left_out import LINK_WITHOUT_TARGET, REPLACED, SPECIAL, reason_of

T = TypeVar("T")
_LONGEST_CHAIN = 40  # of links, as the kernel's


@dataclass(frozen=True)
class Member(Generic[T]):
    """A member at ``path``: a file with ``data``, a symbolic link to ``target``, or, with neither, no file.

    A hard link is a second name of the file before it at ``target``.
    """

    path: str
    data: T | None = None
    target: str | None = None
    is_hard: bool = False


def choose(members: Iterable[Member[T]]) -> tuple[dict[str, T], Counter[str]]:
    """The images among ``members`` by name, and how many files were left out for which reason.

    ``members`` come in the order of the archive; of two at one path the later counts.

    Raises:
        RequestError: two paths read as one name.
    """
    left_out: Counter[str] = Counter()
    latest: dict[str, Member[T]] = {}
    for member in members:
        path = _normal(member.path)
        if path in latest:
            left_out[REPLACED] += 1
        if member.is_hard:
            before = latest.get(_normal(member.target or ""), Member(member.path, target=""))
            member = replace(before, path=member.path)
        latest[path] = member
    images: dict[str, T] = {}
    for path, member in latest.items():
        data = _followed(path, latest)
        if not is_image_name(path):
            left_out[reason_of(path)] += 1
        elif data is None:
            left_out[SPECIAL if member.target is None else LINK_WITHOUT_TARGET] += 1
        elif (name := member_name(path)) in images:
            raise RequestError(f"two members of an archive have names that read '{name}'; unpack it and rename one")
        else:
            images[name] = data
    return images, left_out


def _normal(path: str) -> str:
    """``path`` below the root of the archive, which no ``..`` leaves."""
    return posixpath.normpath("/" + path.lstrip("/"))[1:]


def _followed(path: str, latest: dict[str, Member[T]]) -> T | None:
    for _ in range(_LONGEST_CHAIN):
        member = latest.get(path)
        if member is None or member.target is None:
            return None if member is None else member.data
        if member.target.startswith("/"):
            return None  # out of the archive
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.target))
    return None
