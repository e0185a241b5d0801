"""Does the Shadow Hand lift what a sentence asks for? Of a few grasps it executes the first it comes to freely."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from hoi_ros.hand import load_hand_model
from hoi_ros.methods.affordgrasp.grasp_scoring import Answer, Question
from hoi_ros.physics.lifting import ShadowLift
from hoi_ros.refusals import Refused
from hoi_ros.retargeting.postures import Planner
from hoi_ros.scene.affordances import HOLDING
from hoi_ros.scene.clouds import Cloud, prepare


def score(
    answer: Answer, asked: Iterator[Question], each: int, seed: int, advance: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """Share of the questions for holding that end in a lift, over all and by category, with the reasons of the others.

    ``each`` grasps are asked for and planned; the first that the hand comes to freely is executed.
    """
    model = load_hand_model()
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for number, question in enumerate(asked):
        advance()
        if question.use.affordance not in HOLDING:
            continue
        reason = "refused"
        try:
            hands, _ = answer(question, each, seed + number)
        except Refused:
            pass
        else:
            world = ShadowLift(question.obj)
            keypoints = model.joints(hands.global_orient, hands.hand_pose, hands.betas, hands.transl)
            cloud = prepare(Cloud(question.cloud.points, question.cloud.normals))
            plan = Planner(world.hand).plan(keypoints, cloud, world.table)
            best = plan.choice()
            reason = world.lift(plan[best : best + 1]).reason[0]
        for name in ("all", question.obj.category):
            reasons[name][reason] += 1
    return {
        name: {"lifts": counts.total(), "lifted": counts["lifted"] / counts.total()}
        | {reason: count for reason, count in counts.items() if reason != "lifted"}
        for name, counts in reasons.items()
    }
