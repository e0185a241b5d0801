"""Training: what was stopped ends as what was not, and files that are not ours are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hoi_ros.learning import weights
from hoi_ros.learning.trainer import CHECKPOINT, Network, Recipe, train
from hoi_ros.refusals import Reason, Refused

TRUE = torch.tensor([2.0, -1.0, 0.5])


class Line(Network):
    """A linear map of three numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.config = {"inputs": 3}
        self.layer = nn.Linear(3, 1)
        self.idle = nn.Linear(1, 1)  # no loss depends on it

    def forward(self, values: Tensor) -> Tensor:
        """(N, 3) to (N,)."""
        return self.layer(values)[:, 0]


class Fitting:
    """Find ``TRUE`` from examples; the loss may be spoilt."""

    def __init__(self, spoilt: bool = False) -> None:
        torch.manual_seed(0)
        self.model, self.spoilt = Line(), spoilt

    def loss(self, model: nn.Module, rng: np.random.Generator, device: torch.device) -> dict[str, Tensor]:
        """Squared error."""
        values = torch.from_numpy(rng.normal(size=(32, 3)).astype(np.float32)).to(device)
        error = (model(values) - values @ TRUE).square().mean()
        return {"error": error / 0.0 if self.spoilt else error}


def run(folder: Path, stop: int | None = None, steps: int = 300, **options: bool) -> Path:
    """Train; ``stop``: a person stops it after so many steps."""

    def advance(done: int, _terms: object) -> None:
        if stop is not None and done >= stop:
            raise KeyboardInterrupt

    return train(Fitting(**options), Recipe(steps, rate=0.05, smoothing=0.9, every=50), folder, 3, advance)


def test_a_line_is_found(tmp_path: Path) -> None:
    tensors, config = weights.load(run(tmp_path))
    assert config == {"inputs": 3}
    torch.testing.assert_close(tensors["layer.weight"][0], TRUE, atol=1e-3, rtol=0.0)


def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = weights.load(run(tmp_path / "whole"))[0]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop=100)
    resumed = weights.load(run(tmp_path / "parts"))[0]
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name])


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    run(tmp_path, steps=50)
    with pytest.raises(Refused, match="another training") as refused:
        run(tmp_path, steps=100)
    assert refused.value.reason is Reason.FILE


def test_a_loss_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        run(tmp_path, spoilt=True)
    assert refused.value.reason is Reason.NOT_FINITE
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_precision_that_spoils_gradients_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    task = Fitting()
    task.model.idle = nn.Conv3d(1, 1, 1)
    assert train(task, Recipe(5), tmp_path / "single", 0, lambda *_: None).exists()
    recipe = Recipe(5, precision="bf16")
    with pytest.raises(Refused, match="single precision") as refused:
        train(task, recipe, tmp_path, 0, lambda *_: None)
    assert refused.value.reason is Reason.PARAMETER


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\xff" * 1000, b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(Refused) as refused:
        weights.load(path)
    assert refused.value.reason is Reason.FILE


def test_shipped_weights_are_those_that_were_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "weights")
    with pytest.raises(Refused, match="there are: none"):
        weights.load_shipped("line")
    made = tmp_path / "made.safetensors"
    weights.save(made, {"a": TRUE}, {"inputs": 3})
    weights.ship("line", made)
    assert torch.equal(weights.load_shipped("line")[0]["a"], TRUE)
    with pytest.raises(Refused, match="there are: line"):
        weights.load_shipped("circle")
    shipped = tmp_path / "weights" / "line.safetensors"
    shipped.write_bytes(shipped.read_bytes() + b" ")
    with pytest.raises(Refused, match="not the file"):
        weights.load_shipped("line")
