"""One training loop for every network: any device, mixed precision, several processes, resumed where it stopped."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from hoi_ros.learning.weights import load, save
from hoi_ros.refusals import Reason, Refused

CHECKPOINT, WEIGHTS, LOG = "checkpoint.safetensors", "weights.safetensors", "log.jsonl"
_WARM = 0.03  # of the steps, in which the rate rises

Advance = Callable[[int, Mapping[str, float]], None]
"""Hears of the steps that are done, and of the mean terms of the loss since it last did."""


class Network(nn.Module):
    """A module that can be built again from its configuration."""

    config: Mapping[str, Any]

    @classmethod
    def load(cls, weights: tuple[dict[str, Tensor], dict[str, Any]]) -> Self:
        """From tensors and configuration as ``weights.load`` gives them, in single precision, ready for use."""
        tensors, config = weights
        network = cls(**config)
        network.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in tensors.items()})
        return network.eval()


class Task(Protocol):
    """What is trained, and on what."""

    @property
    def model(self) -> Network:
        """The network."""

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> Mapping[str, Tensor]:
        """Terms of the loss of one step, already weighted, of a batch drawn by ``rng`` alone."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast."""

    steps: int
    rate: float = 1e-3  # of Adam, at its height; then it falls along a cosine
    decay: float = 1e-4  # of the weights
    smoothing: float = 0.999  # of the moving average of the weights, which is what is kept
    clip: float = 1.0  # norm of the gradient
    every: int = 250  # steps from one checkpoint to the next
    precision: str = "no"  # "no", "fp16" or "bf16"


def train(task: Task, recipe: Recipe, folder: Path, seed: int, advance: Advance) -> Path:
    """Train, or go on from the checkpoint in ``folder``; returns the file of the averaged weights.

    Each step draws from a generator of its own, so a training that was stopped ends as one that was not. Raises
    Refused(FILE) for a checkpoint of another training, Refused(NOT_FINITE) where the loss is not finite, and
    Refused(PARAMETER) where the precision would spoil it.
    """
    _check_precision(task.model, recipe.precision)
    accelerator = Accelerator(mixed_precision=recipe.precision, cpu=not torch.cuda.is_available())
    state = _State(task.model, recipe, seed, folder)
    state.resume()
    state.prepare(accelerator)
    sums: dict[str, float] = defaultdict(float)
    since, start = state.done, time.monotonic()
    while state.done < recipe.steps:
        rng = np.random.default_rng([seed, state.done, accelerator.process_index])
        for name, value in state.step(task.loss(state.model, rng, accelerator.device), accelerator).items():
            sums[name] += value
        ended = state.done == recipe.steps
        if (ended or state.done % recipe.every == 0) and accelerator.is_main_process:
            means = {name: value / (state.done - since) for name, value in sums.items()}
            state.save(means | {"seconds": round(time.monotonic() - start, 1)})
            advance(state.done, means)
            sums, since = defaultdict(float), state.done
    return folder / WEIGHTS


def start_from(network: Network, weights: Path) -> None:
    """Give a network the weights of a file. Raises Refused(FILE) for those of another network."""
    tensors, config = load(weights)
    if config != json.loads(json.dumps(dict(network.config))):
        raise Refused(Reason.FILE, f"{weights} is of {config}, what is trained is {dict(network.config)}")
    network.load_state_dict(tensors)


def _check_precision(network: Network, precision: str) -> None:
    """On processors, gradients of 3D convolutions on small grids are at random wrong in bf16 [torch 2.13, oneDNN]."""
    solid = any(isinstance(layer, nn.Conv3d) for layer in network.modules())
    if solid and precision != "no" and not torch.cuda.is_available():
        what = f"precision {precision} spoils the gradients of 3D convolutions on a processor"
        raise Refused(Reason.PARAMETER, f"{what}: train in single precision (no), or on a GPU")


class _State:
    """Weights, their average, Adam's moments and the number of steps: all that a checkpoint keeps."""

    def __init__(self, network: Network, recipe: Recipe, seed: int, folder: Path) -> None:
        self.network, self.recipe, self.seed, self.folder = network, recipe, seed, folder
        self.model: nn.Module = network
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.done = 0

    def prepare(self, accelerator: Accelerator) -> None:
        """Move everything to where it is trained."""
        self.model, self.optimiser = accelerator.prepare(self.network, self.optimiser)
        self.average = {name: value.to(accelerator.device) for name, value in self.average.items()}

    def step(self, terms: Mapping[str, Tensor], accelerator: Accelerator) -> dict[str, float]:
        """One step down; the terms as numbers."""
        values = {name: float(term.detach()) for name, term in terms.items()}
        if not all(map(math.isfinite, values.values())):
            raise Refused(Reason.NOT_FINITE, f"the loss of step {self.done} is not finite: {values}")
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate * _share(self.done, self.recipe.steps)
        self.optimiser.zero_grad()
        accelerator.backward(torch.stack(list(terms.values())).sum())
        accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimiser.step()
        self.done += 1
        self._follow(min(self.recipe.smoothing, self.done / (self.done + 9.0)))
        return values

    @torch.no_grad()
    def _follow(self, smoothing: float) -> None:
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1.0 - smoothing)
            else:
                self.average[name].copy_(value)

    def save(self, line: Mapping[str, float]) -> None:
        """Write checkpoint and averaged weights, and a line to the log."""
        tensors = {f"model/{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average/{name}": value for name, value in self.average.items()}
        for name, parameter in self.network.named_parameters():
            for moment, value in self.optimiser.state[parameter].items():
                tensors[f"{moment}/{name}"] = value
        save(self.folder / CHECKPOINT, tensors, self._of | {"done": self.done})
        save(self.folder / WEIGHTS, self.average, self._of["config"])
        with (self.folder / LOG).open("a") as file:
            file.write(json.dumps({"step": self.done} | dict(line)) + "\n")

    def resume(self) -> None:
        """Put everything back as the checkpoint has it, if there is one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / CHECKPOINT
        if not path.exists():
            return
        tensors, found = load(path)
        self.done = int(found.pop("done"))
        if found != json.loads(json.dumps(self._of)):
            raise Refused(Reason.FILE, f"{path} is of another training; give another folder, or delete it")
        self.network.load_state_dict({name: tensors[f"model/{name}"] for name in self.network.state_dict()})
        self.average = {name: tensors[f"average/{name}"] for name in self.average}
        for name, parameter in self.network.named_parameters():
            if f"step/{name}" in tensors:  # what no loss depends on has no moments
                moments = ("step", "exp_avg", "exp_avg_sq")
                self.optimiser.state[parameter] = {moment: tensors[f"{moment}/{name}"] for moment in moments}

    @property
    def _of(self) -> dict[str, Any]:
        return {"config": dict(self.network.config), "recipe": asdict(self.recipe), "seed": self.seed}


def _share(step: int, steps: int) -> float:
    """Of the full rate."""
    warm = max(1, round(_WARM * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
