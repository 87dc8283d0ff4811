"""The images of the sets that this project ships are those that its committed records were measured on."""

from __future__ import annotations

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.images.sets import open_image_set
from vitok_lib.project import ROOT
from vitok_lib.records.store import read_record

SETS = {
    "photos": "photos-512",
    "leaves": "leaves-256",
    "challenge": "challenge-384",
    "wallpapers": "wallpapers-1024",
    "text": "text-by-height-512",
    "han": "text-by-height-han-512",
}
"""The folder of records of each."""


@pytest.mark.parametrize("name", SETS)
def test_a_committed_manifest_is_still_that_of_the_set(name: str) -> None:
    records = [read_record(path) for path in (ROOT / "results" / "cpu" / SETS[name]).glob("*.json")]
    (resolution,) = {record.resolution for record in records}
    recorded = {
        (record.images.count, record.images.manifest_sha256)
        for record in records
        if record.images.manifest_sha256 is not None and record.images.subset_seed is None
    }
    assert recorded
    try:
        images = open_image_set(name)
    except RequestError as error:
        if error.code != "images-not-found":
            raise
        pytest.skip(str(error))
    assert recorded == {(count, images.manifest(resolution, count).sha256) for count, _ in recorded}
