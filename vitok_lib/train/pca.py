"""Principal components of image patches: the best linear code of a given size, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitok_lib.tokenizers.vitok.model import patchify
from vitok_lib.train.data import CropSampler


@dataclass(frozen=True)
class Components:
    """``mean`` ``[3p²]``, ``basis`` ``[3p², 3p²]`` with a component a column, ``deviation`` ``[3p²]``, descending."""

    mean: Tensor
    basis: Tensor
    deviation: Tensor


def fit(sampler: CropSampler, patch: int, patches: int, device: str = "cpu") -> Components:
    """Components of at least ``patches`` random patches, by the eigenvectors of their covariance in float64."""
    values = 3 * patch**2
    total, products, seen = (
        torch.zeros(values, dtype=torch.float64, device=device),
        torch.zeros(values, values, dtype=torch.float64, device=device),
        0,
    )
    while seen < patches:
        tokens, _, _ = patchify(sampler.batch(32, 128, device), patch)
        rows = tokens.flatten(0, 1).double()
        total += rows.sum(0)
        products += rows.T @ rows
        seen += len(rows)
    mean = total / seen
    covariance = products / seen - torch.outer(mean, mean)
    variance, basis = torch.linalg.eigh(covariance)
    deviation = variance.flip(0).clamp(min=0).sqrt()
    return Components(mean.float().cpu(), basis.flip(1).float().cpu(), deviation.float().cpu())
