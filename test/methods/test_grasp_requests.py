"""Requests as they are drawn: hands stay on their objects through every turn; spoilt maps keep some of the part."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand import load_hand_model
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.methods.affordgrasp.affordance_training import sample_of
from hoi_ros.methods.affordgrasp.grasp_requests import Draws, Grasps, Requests, farthest_first, spoilt
from hoi_ros.methods.affordgrasp.hand_surface import hand_skin
from hoi_ros.methods.affordgrasp.placing import Places
from hoi_ros.methods.affordgrasp.ranking import FELT, Ranking
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.scene.clouds import farthest_points
from hoi_ros.types import Array


def found() -> Requests:
    mug = make_object("mug", 0, 0)
    hands = GraspOptimiser(load_hand_model()).synthesize(mug, mug.uses[0], 4, 0, np.zeros(10)).hands
    grasps = Grasps(
        *(
            np.float32(values)
            for values in (
                Rotation.from_rotvec(hands.global_orient).as_matrix(),
                hands.hand_pose,
                hands.betas,
                hands.transl,
            )
        )
    )
    sample = sample_of(mug, TextEncoder(), np.random.default_rng(0), 2)
    return Requests((sample,), grasps, ((0, 0, np.arange(4)),))


def test_hands_stay_on_their_objects() -> None:
    requests, skin = found(), hand_skin()
    batch = Draws(requests, skin, requests=3, hands=4)(np.random.default_rng(0))
    assert batch.asked.points.shape == (3, 1024, 3) and len(batch.hands.pose) == 12
    near = torch.cdist(skin.surface(batch.hands), batch.surface.repeat_interleave(4, 0)).amin((1, 2))
    sample = requests.samples[0]
    still = Places(torch.zeros(1, 3), torch.eye(3)[None])
    hands = still.enter_hands(skin, requests.grasps.hands(np.arange(4)))
    before = torch.cdist(skin.surface(hands), torch.from_numpy(np.float32(sample.points))[None]).amin((1, 2))
    assert near.max() < before.max() + 0.004
    wanted = batch.asked.affordance >= 0.5
    middle = torch.stack([points[chosen].mean(0) for points, chosen in zip(batch.asked.points, wanted, strict=True)])
    assert middle.norm(dim=1).max() < 0.03  # the handle is the middle of the request


def test_something_of_the_part_is_always_left() -> None:
    rng = np.random.default_rng(0)
    points: Array = rng.uniform(-0.1, 0.1, (500, 3))
    mask = np.linalg.norm(points - points[0], axis=1) < 0.04
    for _ in range(200):
        chance = spoilt(points, mask, rng)
        assert (chance >= 0.0).all() and (chance <= 1.0).all() and (chance[mask] >= 0.5).any()


def test_the_ranking_learns_which_grasps_hold() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    felt = {name: rng.exponential(size=400) for name in FELT}
    works = torch.from_numpy((felt["hold"] + 0.3 * felt["depth"] < 1.0).astype(np.float32))
    ranking = Ranking()
    values = ranking.values(felt, True)
    ranking.normalise(values)
    adam = torch.optim.Adam(ranking.parameters(), 0.02)
    for _ in range(150):
        adam.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(ranking(values), works).backward()
        adam.step()
    probability = ranking.probability(felt, True)
    assert ((probability > 0.5) == works.numpy()).mean() > 0.9
    assert np.isfinite(ranking.probability({name: v for name, v in felt.items() if name != "hold"}, False)).all()


def test_the_order_is_that_of_farthest_points() -> None:
    points = np.random.default_rng(0).normal(size=(200, 3))
    points -= points.mean(axis=0)
    order = farthest_first(torch.from_numpy(points.astype(np.float32))[None], 40)[0].numpy()
    np.testing.assert_array_equal(order[:40], farthest_points(points, 40))
    np.testing.assert_array_equal(np.sort(order), np.arange(200))
