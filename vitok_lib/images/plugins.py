"""Image sets of third parties: entry points of the group ``vitok_lib.image_sets``.

An entry point names a callable without arguments that returns an image set
(:class:`vitok_lib.images.sets.ImageSet`), such as a :class:`~vitok_lib.images.file_set.FileSet`.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from vitok_lib.errors import RequestError, error_text
from vitok_lib.third_party import guarded

GROUP = "vitok_lib.image_sets"
_PARTS = ("name", "description", "rule", "subset_seed", "names", "manifest", "load")


def names() -> list[str]:
    """The names of the installed sets."""
    return sorted(entry_points(group=GROUP).names)


def open_plugin(name: str) -> Any:
    """The image set that the entry point makes.

    Raises:
        RequestError: several packages bring the name, or what it names cannot be imported, fails, or makes something
            that is no image set.
    """
    found, *others = {point.value: point for point in entry_points(group=GROUP, name=name)}.values()
    if others:
        values = ", ".join(point.value for point in (found, *others))
        raise RequestError(f"image set '{name}' is the name of several plug-ins ({values}); uninstall all but one")
    try:
        with guarded(f"image set '{name}'"):
            image_set = found.load()()
    except RequestError:
        raise
    except Exception as error:  # a third party's code raises what it likes
        raise RequestError(
            f"image set '{name}' of {found.value} cannot be opened ({type(error).__name__}: {error_text(error)})"
        ) from error
    missing = [part for part in _PARTS if not hasattr(image_set, part)]
    if missing:
        raise RequestError(
            f"image set '{name}' of {found.value} is a {type(image_set).__name__} without {', '.join(missing)}; "
            "see vitok_lib.images.sets.ImageSet"
        )
    return image_set
