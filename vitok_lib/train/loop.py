"""The training loop: steps that depend on nothing but their number, so that a killed run resumes bit-equal.

The loss of a crop is log(mse + ε), whose mean is the mean PSNR up to sign and scale, so that easy and hard crops weigh
alike. The learning rate falls with a half cosine over the steps.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vitok_lib.train.data import CropSampler
from vitok_lib.train.recipe import CropPlan, Recipe

LOSS_FLOOR = 1e-4  # of the squared error in [-1, 1]: 46 dB, below which a crop counts as solved
WARMUP_STEPS = 50
GRADIENT_NORM = 1.0
MUON_RATE = 0.01  # of the blocks' matrices; its steps have this size whatever the gradient's
CURVE_STEPS = 200

Forward = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Crops in [-1, 1] to their reconstruction and a regulariser, a scalar added to the loss."""


class Training:
    """The training of ``modules`` by ``recipe`` on ``device``: everything that the next step depends on.

    ``curve`` holds (step, seconds, mean loss since the last entry); ``seconds`` is the time spent in steps.
    """

    def __init__(
        self, modules: list[nn.Module], forward: Forward, recipe: Recipe, sampler: CropSampler, device: str
    ) -> None:
        self.recipe, self.step, self.seconds = recipe, 0, 0.0
        self.curve: list[tuple[int, float, float]] = []
        self._modules, self._forward, self._sampler, self._device = modules, forward, sampler, device
        self._optimizers, self._rates = _optimizers(modules, recipe.learning_rate)
        self._shares = torch.tensor([plan.share for plan in recipe.crops])
        self._recent_loss = torch.zeros((), device=device)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on; tensors are shared with the training, not copied."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
            "recent_loss": self._recent_loss,
            "modules": [module.state_dict() for module in self._modules],
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "sampler": self._sampler.state,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self._device.startswith("cuda") else [],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.step, self.seconds, self.curve = state["step"], state["seconds"], [*map(tuple, state["curve"])]
        self._recent_loss = state["recent_loss"].to(self._device, copy=True)
        for module, values in zip(self._modules, state["modules"], strict=True):
            module.load_state_dict(values)
        for optimizer, values in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self._sampler.state = state["sampler"]
        torch.set_rng_state(state["random"].cpu())
        if state["random_cuda"]:
            torch.cuda.set_rng_state_all([each.cpu() for each in state["random_cuda"]])

    def seconds_per_step(self, repeats: int = 3) -> float:
        """Mean over the crop plans, of steps that are then undone; the first of each plan warms up."""
        before = copy.deepcopy(self.state())
        mean = 0.0
        for plan in self.recipe.crops:
            self._take(plan, 0.0)
            self._recent_loss.item()  # waits for the device
            start = time.monotonic()
            for _ in range(repeats):
                self._take(plan, 0.0)
            self._recent_loss.item()
            mean += plan.share * (time.monotonic() - start) / repeats
        self.restore(before)
        return mean

    def advance(self, steps: int, report: Callable[[str], None]) -> None:
        """Take the next step of ``steps`` in all."""
        start = time.monotonic()
        plan = self.recipe.crops[int(torch.multinomial(self._shares, 1))]
        self._take(plan, min(1.0, (self.step + 1) / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * self.step / steps)))
        self.step += 1
        if self.step % CURVE_STEPS == 0:
            loss = self._recent_loss.item() / CURVE_STEPS
            self._recent_loss.zero_()
        self.seconds += time.monotonic() - start
        if self.step % CURVE_STEPS == 0:
            self.curve.append((self.step, round(self.seconds, 1), round(loss, 4)))
            report(f"{self.recipe.name} step {self.step} of {steps}, {self.seconds:.0f} s, loss {loss:.4f}")

    def _take(self, plan: CropPlan, scale: float) -> None:
        """One step on a batch of ``plan`` at ``scale`` of the recipe's learning rate."""
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * scale
        crops = self._sampler.batch(plan.count, plan.size, self._device)
        with torch.autocast(torch.device(self._device).type, torch.bfloat16):
            reconstruction, regulariser = self._forward(crops)
        squared_error = (reconstruction.float() - crops).square().flatten(1).mean(1)
        loss = torch.log(squared_error + LOSS_FLOOR).mean()
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        (loss + regulariser.float()).backward()
        nn.utils.clip_grad_norm_([each for module in self._modules for each in module.parameters()], GRADIENT_NORM)
        for optimizer in self._optimizers:
            optimizer.step()
        self._recent_loss += loss.detach()


def _optimizers(modules: list[nn.Module], rate: float) -> tuple[list[torch.optim.Optimizer], list[float]]:
    """Muon (Jordan et al. 2024) for the blocks' matrices, AdamW for everything else."""
    named = [item for module in modules for item in module.named_parameters()]
    matrices = [parameter for name, parameter in named if parameter.ndim == 2 and "_blocks." in name]
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for _, parameter in named if id(parameter) not in chosen]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)]
    rates = [rate]
    if matrices:
        optimizers.append(torch.optim.Muon(matrices, lr=MUON_RATE, momentum=0.95, weight_decay=0.0))
        rates.append(MUON_RATE)
    return optimizers, rates
