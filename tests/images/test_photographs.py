"""The split of the photographs: what is evaluated on was never learned from."""

from __future__ import annotations

import hashlib

from vitok_lib.images import photographs


def test_held_out_and_training_photographs_share_no_name_and_no_file() -> None:
    held_out, training = photographs.held_out(), photographs.training()
    assert not {photograph.name for photograph in held_out} & {photograph.name for photograph in training}
    sha256 = [hashlib.sha256(each.file().read_bytes()).hexdigest() for each in held_out + training]
    assert len(set(sha256)) == len(sha256) == len(photographs.PHOTOGRAPHS)


def test_every_photograph_states_source_and_licence() -> None:
    for photograph in photographs.PHOTOGRAPHS:
        assert photograph.subject
        assert photograph.source
        assert photograph.licence
        assert photograph.file().is_file()
