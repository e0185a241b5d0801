"""The descent itself: free variables of a batch of hands, the energy of a grasp, and Adam inside the joint limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hoi_ros.methods.optimisation import energies
from hoi_ros.methods.optimisation.energies import Wish
from hoi_ros.methods.optimisation.fields import Fields
from hoi_ros.methods.optimisation.force_closure import ForceClosure
from hoi_ros.methods.optimisation.hand_layer import HandLayer, rotations

FAR = 0.02  # m within which skin counts as contact, before a descent narrows it
SLACK = 0.001  # m that touching skin may be in the object
WEIGHTS: Mapping[str, float] = {
    "touch": 1.0,
    "hold": 3.0,
    "press": 4.0,
    "penetration": 1.0,
    "self": 0.5,
    "keep_off": 1.0,
    "clearance": 1.0,
    "unnatural": 0.6,
}


@dataclass
class FreeHands:
    """The free variables of a batch: angles, and a turn and a shift about a pivot near the grip's centre."""

    angles: Tensor  # (N, 26) rad
    turn: Tensor  # (N, 3) rad, in the object's frame
    shift: Tensor  # (N, 3) of 0.1 m
    base: Tensor  # (N, 3, 3)
    pivot: Tensor  # (N, 3) m in the hand's frame
    centre: Tensor  # (N, 3) m

    def __getitem__(self, rows: Tensor) -> FreeHands:
        return FreeHands(*(v.detach()[rows] for v in vars(self).values()))

    @property
    def free(self) -> list[Tensor]:
        """What the descent changes."""
        return [self.angles, self.turn, self.shift]

    def wrist(self) -> tuple[Tensor, Tensor]:
        """Rotations (N, 3, 3) and positions (N, 3), m, of the wrists."""
        rotation = rotations(self.turn) @ self.base
        return rotation, self.centre + 0.1 * self.shift - (rotation @ self.pivot[..., None])[..., 0]


class Problem:
    """The energy of a batch of hands on one object."""

    def __init__(self, layer: HandLayer, fields: Fields, wish: Wish) -> None:
        self.layer, self.fields, self.wish = layer, fields, wish
        self.closure = ForceClosure()
        self.stress = 1.0  # on penetration
        self.reach = FAR  # m within which skin counts as contact

    def __getitem__(self, rows: Tensor) -> Problem:
        return Problem(self.layer, self.fields, self.wish[rows])

    def terms(self, hands: FreeHands, indent: float) -> dict[str, Tensor]:
        """Terms (N,) of the energy, not weighted; wanted skin is to be ``indent`` m in the object."""
        layer, fields, wish = self.layer, self.fields, self.wish
        rotation, wrist = hands.wrist()
        skin, balls, forearm = layer.pose(hands.angles, rotation, wrist)
        distance, normals = fields.solid.lookup(torch.cat([skin, balls, forearm], dim=1))
        on_skin, in_flesh, on_forearm = distance.split([layer.skin_count, layer.ball_count, forearm.shape[1]], dim=1)
        found = energies.contacts(layer, fields, wish, skin, on_skin, normals)
        terms = {
            "touch": energies.touch(found, wish, indent),
            "penetration": energies.penetration(on_skin, in_flesh, layer.radii, SLACK),
            "self": energies.self_penetration(balls, layer),
            "keep_off": energies.keep_off(fields, skin),
            "clearance": energies.clearance(fields, skin, forearm, on_forearm, layer.forearm_radii),
            "unnatural": energies.unnatural(hands.angles, wish),
        }
        if wish.holds:
            terms["hold"] = energies.hold(found, wish, fields, self.closure, self.reach)
        if wish.push is not None:
            terms["press"] = energies.press(found, wish)
        return terms

    def cost(self, hands: FreeHands, indent: float) -> Tensor:
        """The energy (N,)."""
        terms = self.terms(hands, indent)
        return sum(
            (WEIGHTS[name] * (self.stress if name == "penetration" else 1.0) * term for name, term in terms.items()),
            torch.zeros(()),
        )


def descend(
    problem: Problem,
    hands: FreeHands,
    steps: int,
    rates: tuple[float, float],
    reach: tuple[float, float],
    indent: float,
) -> FreeHands:
    """Adam with rate and reach that fall from the first to the second value, angles kept inside the limits."""
    for variable in hands.free:
        variable.requires_grad_(True)
    adam = torch.optim.Adam(hands.free, betas=(0.8, 0.95))
    for step in range(steps):
        share = step / steps
        adam.param_groups[0]["lr"] = rates[0] ** (1.0 - share) * rates[1] ** share
        problem.reach = reach[0] ** (1.0 - share) * reach[1] ** share
        adam.zero_grad()
        problem.cost(hands, indent).sum().backward()
        adam.step()
        with torch.no_grad():
            hands.angles.clamp_(problem.layer.lower, problem.layer.upper)
    for variable in hands.free:
        variable.requires_grad_(False)
    return hands
