"""Small images, folders and archives of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(seed: int, size: tuple[int, int] = (9, 7), format: str = "png") -> bytes:
    """An image of noise, (width, height), as a file's bytes."""
    width, height = size
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_archive(path: Path, files: Mapping[str, bytes]) -> Path:
    """A ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz`` of ``files`` in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_table(path: Path, images: Mapping[str, bytes | None], rows_in_group: int = 2, paths: bool = True) -> Path:
    """A Parquet file as the hub's library writes one, with a column that is no image."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = [{"bytes": data, "path": name if paths else None} for name, data in images.items()]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"label": list(range(len(cells))), "image": pa.array(cells, kind)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows_in_group)
    return path


def write_noise(folder: Path, sizes: Sequence[tuple[int, int]], seed: int = 0, below: int = 256) -> Path:
    """A PNG of noise for each (height, width), with values under ``below``, named by its place: ``0.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index, (height, width) in enumerate(sizes):
        pixels = rng.integers(0, below, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:0{len(str(len(sizes) - 1))}d}.png")
    return folder
