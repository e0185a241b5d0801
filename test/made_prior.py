"""The affordance-guided prior with a small network of random weights, and the node ``refinement`` around it."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from hoi_ros import stages
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.methods.affordance_prior.prior import AffordancePrior
from hoi_ros.methods.affordance_prior.refiner import AffordancePriorRefiner
from hoi_ros.methods.affordance_prior.refinery import PriorRefinery
from hoi_ros.parameters import Parameters

NAME = "affordance_prior"
FACTORY = "made_prior:build"


def build(_: Parameters) -> AffordancePriorRefiner:
    """The same one each time; its last layer is not zero, as it is before a training, so that it moves hands."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AffordancePrior(32, 48).eval()
        torch.nn.init.normal_(network.after.weight, std=0.3)
    network.deviation.fill_(0.3)
    return AffordancePriorRefiner(PriorRefinery(network), TextEncoder())


def program(folder: Path) -> str:
    """An executable that runs ``refinement`` with this prior."""
    path = folder / "refinement"
    path.write_text(
        f"#!{sys.executable}\nimport sys\n\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from made_prior import main\n\nmain()\n"
    )
    path.chmod(0o755)
    return str(path)


def main() -> None:
    from hoi_ros.nodes import refinement

    stages.REGISTRY["refiner"][NAME] = FACTORY
    refinement.main()
