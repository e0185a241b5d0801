"""Hands by the keypoint baseline: joints and anchors from noise, and the hand that fits the anchors (choir B.3)."""

from __future__ import annotations

import numpy as np
import torch

from hoi_ros.hand import load_hand_model
from hoi_ros.hand.anchors import find_anchors
from hoi_ros.learning.schedule import STEPS
from hoi_ros.methods.choir.field import ANCHORS
from hoi_ros.methods.choir.fitting import Beliefs, Fitter
from hoi_ros.methods.choir.keypoints import JOINTS, NUMBERS, UNIT, KeypointDiffusion, nearest_first
from hoi_ros.methods.choir.pairs import place_of, posed_anchors
from hoi_ros.methods.choir.refinery import entered_hands, left_hands
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.types import HandBatch


class KeypointRefinery:
    """One network with the embedded hand."""

    def __init__(self, network: KeypointDiffusion) -> None:
        self._network, self._model = network, load_hand_model()
        self._anchors, self._fitter = find_anchors(self._model), Fitter(self._model)

    @torch.inference_mode()
    def refine(self, hands: HandBatch, surface: CloudSurface, _level: float, seed: int) -> HandBatch:
        """Hands (N,) near an object, in its frame; the likeliest of what may be, in one step."""
        anchors = posed_anchors(self._model, self._anchors, hands)
        joints = self._model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
        place, rng = place_of(hands, anchors), np.random.default_rng(seed)
        seen = place.enter(np.tile(surface.points.double().numpy(), (len(hands), 1, 1)))
        count = self._network.config["points"]
        obj = np.stack([nearest_first(points, count, rng) for points in seen])
        noisy = np.concatenate([place.enter(joints), place.enter(anchors)], axis=1).reshape(len(hands), -1)
        noise = torch.from_numpy(rng.standard_normal((len(hands), NUMBERS), dtype=np.float32))
        steps = torch.full((len(hands),), STEPS - 1)
        given = (torch.from_numpy(v.astype(np.float32)) for v in (obj, noisy))
        found = UNIT * self._network(*given, noise, steps).double().numpy().reshape(-1, JOINTS + ANCHORS, 3)
        precision = np.broadcast_to(np.eye(3), (len(hands), ANCHORS, 3, 3))
        entered = entered_hands(self._model, hands, place)
        fitted = self._fitter.fit_anchors(found[:, JOINTS:], precision, entered, Beliefs())
        return left_hands(self._model, fitted, place)
