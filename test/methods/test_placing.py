"""Places of requests: there and back, and the same hand on the same object however it lies in the room."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from hoi_ros.methods.affordgrasp.hand_surface import Hands, hand_skin
from hoi_ros.methods.affordgrasp.placing import Places

SKIN = hand_skin()


def mug(count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (1, N, 3) of a cylinder with a bar beside it, and which are the bar."""
    rng = np.random.default_rng(0)
    around = rng.uniform(0.0, 2.0 * np.pi, count)
    body = np.stack([0.04 * np.cos(around), 0.04 * np.sin(around), rng.uniform(0.0, 0.1, count)], axis=1)
    bar = np.stack([np.full(100, 0.07), rng.uniform(-0.005, 0.005, 100), rng.uniform(0.02, 0.08, 100)], axis=1)
    chance = np.concatenate([np.full(count, 0.02), np.full(100, 0.95)])
    return tuple(torch.from_numpy(v.astype(np.float32))[None] for v in (np.concatenate([body, bar]), chance))


def hands(count: int) -> Hands:
    rng = np.random.default_rng(1)
    values = (
        Rotation.random(count, random_state=2).as_matrix(),
        rng.normal(0.0, 0.3, (count, 45)),
        rng.normal(size=(count, 10)),
        rng.normal(0.0, 0.1, (count, 3)),
    )
    return Hands(*(torch.from_numpy(v.astype(np.float32)) for v in values))


def test_hands_move_as_points_do_and_come_back() -> None:
    points, chance = mug()
    places, given = Places.of(points, chance).repeat(3), hands(3)
    inside = places.enter_hands(SKIN, given)
    torch.testing.assert_close(SKIN.surface(inside), places.enter(SKIN.surface(given)), atol=1e-5, rtol=0.0)
    back = places.leave_hands(SKIN, inside)
    torch.testing.assert_close(SKIN.surface(back), SKIN.surface(given), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(places.leave(places.enter(points.repeat(3, 1, 1))), points.repeat(3, 1, 1))


def test_however_the_object_lies_its_points_enter_alike() -> None:
    points, chance = mug()
    turn = torch.from_numpy(Rotation.from_euler("z", 1.2).as_matrix().astype(np.float32))
    moved = points @ turn.T + torch.tensor([0.3, -2.0, 0.7])
    one, two = (Places.of(cloud, chance).enter(cloud) for cloud in (points, moved))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0.0)
    assert one[0, -100:].mean(0).abs().max() < 1e-3  # the bar is in the middle
    assert one[0, :-100, 0].mean() < -0.06  # and the body behind it


def test_where_nothing_is_afforded_the_whole_object_counts() -> None:
    points, chance = mug()
    places = Places.of(points, 0.1 * chance)
    torch.testing.assert_close(places.middle, points.mean(1))
