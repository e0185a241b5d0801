"""The end of the demo: one mug, three sentences, three grasps, three Shadow Hands that lift it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hoi_ros.dataset.objects import make_object
from hoi_ros.hand import load_hand_model
from hoi_ros.parameters import Parameters
from hoi_ros.physics.lifting import ShadowLift, sampled
from hoi_ros.pipeline import Pipeline
from hoi_ros.refusals import Refused
from hoi_ros.retargeting.postures import Planner
from hoi_ros.view import grasps, lifts, pictures

SENTENCES = ("Grip the handle of the mug.", "Wrap your hand around the mug.", "Hold the mug by its handle.")
MUG = 1007  # no training saw it; of eight such mugs one of the two whose three lifts all succeed
PICTURE = "sentences.png"
TRIED = 16  # grasps of a sentence: the hand executes the first that it comes to freely


def run(out: Path, parameters: Parameters, advance: Callable[[], None]) -> list[dict[str, Any]]:
    """Write ``sentences.png`` to ``out``; what became of each sentence. ``advance`` is told of each."""
    mug, model = make_object("mug", MUG, 0), load_hand_model()
    pipeline, cloud, world = Pipeline.build(parameters, ("synthesizer",)), sampled(mug), ShadowLift(mug)
    rows, results = [], []
    for seed, sentence in enumerate(SENTENCES):
        advance()
        try:
            found = pipeline.synthesize(cloud, sentence, TRIED, seed, np.array([0.0, 0.0, 1.0])).grasps
        except Refused as refused:
            results.append({"sentence": sentence, "affordance": "", "lift": refused.message, "raised_cm": 0.0})
            continue
        plan = Planner(world.hand).plan(np.array([grasp.hand.keypoints for grasp in found]), cloud, world.table)
        best = plan.choice()
        grasp, lifted = found[best], lifts.sheet(world, plan[best : best + 1])
        hand = grasp.hand
        mesh = model.mesh(hand.global_orient[None], hand.hand_pose[None], hand.betas[None], hand.transl[None])
        shown = pictures.titled(grasps.of_grasp(mug, mesh.vertices[0], model.closed_faces), sentence)
        height = lifted.shape[0]
        rows.append(np.hstack([pictures.fitted(shown, (height, shown.shape[1] * height // shown.shape[0])), lifted]))
        outcome = world.lift(plan[best : best + 1])
        results.append(
            {
                "sentence": sentence,
                "affordance": grasp.affordance,
                "score": round(grasp.score, 3),
                "lift": outcome.reason[0],
                "raised_cm": round(100.0 * float(outcome.raised[0]), 1),
            }
        )
    if rows:
        pictures.save(out / PICTURE, np.vstack(rows))
    return results
