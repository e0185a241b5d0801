"""Every figure of an evaluation: what it means, and its definition's key in ``reference/methods.md``, section 2."""

from __future__ import annotations

from collections.abc import Mapping

FRAME_FIGURES: Mapping[str, str] = {
    "hand.mpjpe_mm": "mean distance of 21 keypoints to the true ones [MPJPE/MJE]",
    "hand.r_mpjpe_mm": "mean distance of the keypoints with the wrists on each other [R-MPJPE]",
    "hand.pa_mpjpe_mm": "mean distance of the keypoints after the best similarity without reflection [PA-MPJPE]",
    "hand.error_2d_px": "mean distance of the keypoints in the picture",
    "hand.hidden": "share of the true keypoints that something in the depth picture hides, 0..1",
    "goal.joint_error_deg": "mean difference of the joints to those of the true goal",
    "goal.wrist_error_mm": "distance of the wrist to that of the true goal",
    "goal.wrist_error_deg": "turn of the wrist against that of the true goal",
    "latency.total_ms": "from sending the picture to its joint goal",
    "latency.pose_estimation_ms": "from the node's receipt of the picture to its answer",
    "latency.retargeting_ms": "from the node's receipt of the hands to its answer",
    "age_ms": "of the picture on the ROS clock when its turn came, the largest over the nodes",
}
"""Of one picture. Of a recording each is the mean over the pictures that have it."""

FIGURES: Mapping[str, str] = {
    **FRAME_FIGURES,
    "frames": "pictures that were sent",
    "answered": "share of the pictures that got an answer: goals, or a refusal with its reason",
    "refused": "share of the pictures that were refused by a node, for whatever reason",
    "unanswered": "share of the pictures without an answer: replaced by a newer one, or lost on the way",
    "lost": "pictures without an answer that no node counts as replaced by a newer one: lost on the way",
    "failed": "share of the pictures that broke a threshold of pictures",
    "missing": "share of the pictures that the recording lacks: gaps of its stamps against their usual step",
    "backwards": "pictures whose stamp is not later than that of the picture before",
    "hand.found": "share of the pictures with a true hand in which a hand was found",
    "hand.auc": "area under the PCK curve from 0 to 50 mm, 0..1 [AUC]",
    "hand.acceleration_error_m_s2": "mean difference of the keypoints' second differences in time",
    "goal.rate_hz": "joint goals a second of recorded time",
    "goal.coupling_violation_rad": "the most by which a finger's J1 exceeds its J2",
    "goal.jerk_p95_rad_s3": "95th percentile of the joints' third differences in time",
    "latency.p50_ms": "median from sending a picture to its joint goal",
    "latency.p95_ms": "95th percentile from sending a picture to its joint goal",
    "latency.p99_ms": "99th percentile from sending a picture to its joint goal",
    "grasp.sentences": "sentences that were said",
    "grasp.answered": "share of the sentences that got grasps",
    "grasp.count": "grasps for a sentence that got any, on average",
    "grasp.iv_cm3": "volume of the hand inside the true object, 5 mm voxels, mean of the grasps [IV]",
    "grasp.within_5mm": "share of the grasps whose two-way depth in the true object is at most 5 mm",
    "grasp.contact": "share of the grasps with a vertex at most 5 mm from the true object [Contact ratio, GraspTTA]",
    "grasp.latency_p95_ms": "95th percentile from a sentence to its grasps or its refusal",
    "memory.growth_mb": "of the nodes' process, from a fifth of the run to its end",
}
"""Of a whole recording."""
