"""Every figure of an evaluation: what it means, and its definition's key in ``reference/methods.md``, section 2."""

from __future__ import annotations

from collections.abc import Mapping

_HAND: Mapping[str, str] = {
    "mpjpe_mm": "mean distance of 21 keypoints to the true ones [MPJPE/MJE]",
    "r_mpjpe_mm": "mean distance of the keypoints with the wrists on each other [R-MPJPE]",
    "st_mpjpe_mm": "mean distance of the keypoints with the wrists on each other and palms of one length [ST-MJE]",
    "pa_mpjpe_mm": "mean distance of the keypoints after the best similarity without reflection [PA-MPJPE]",
    "vertex_mm": "mean distance of 778 vertices to the true ones, nothing aligned: the papers' V-PE",
    "f_5": "F-score of the vertices at 5 mm, 0..1, after their best similarity without reflection [F@5/15]",
    "f_15": "F-score of the vertices at 15 mm, 0..1, after their best similarity without reflection [F@5/15]",
    "contact_precision": "share of what the found hand touches of the true object, within 2 mm of a point of each "
    "2 mm of it, that the true hand touches too; of pictures in which either touches [Contact P/R/F1]",
    "contact_recall": "share of the true hand's contact, as of contact_precision, that the found hand has "
    "[Contact P/R/F1]",
    "contact_f1": "harmonic mean of precision and recall of contact [Contact P/R/F1]",
    "error_2d_px": "mean distance of the keypoints in the picture",
}

FRAME_FIGURES: Mapping[str, str] = {
    **{f"hand.{name}": text for name, text in _HAND.items()},
    **{f"refined.{name}": f"of what a refiner made of the hands: {text}" for name, text in _HAND.items()},
    "hand.hidden": "share of the true keypoints that something in the depth picture hides, 0..1",
    "goal.joint_error_deg": "mean difference of the joints to those of the true goal",
    "goal.wrist_error_mm": "distance of the wrist to that of the true goal",
    "goal.wrist_error_deg": "turn of the wrist against that of the true goal",
    "object.oce_mm": "distance of the origin of the object's frame from the true one, not from a hand's root [OCE]",
    "object.mce_mm": "mean distance of the 8 corners of the object's boxes along the camera's axes, not from a hand's "
    "root [MCE]",
    "object.add_mm": "mean distance of the mesh's vertices to the same ones in the true pose [OME]",
    "object.add_s_mm": "mean distance of at most 5,000 vertices in the true pose to the nearest found one [ADD-S]",
    "object.chamfer_cm2": "mean squared distance of the completed cloud to 5,000 points of the true surface, and back, "
    "added [CD]",
    "object.fs_5": "F-score of the completed cloud at 5 mm against 5,000 points of the true surface, 0..1 [FS@k]",
    "object.fs_10": "F-score of the completed cloud at 10 mm against 5,000 points of the true surface, 0..1 [FS@k]",
    "latency.total_ms": "from sending the picture to its joint goal",
    "latency.pose_estimation_ms": "from the node's receipt of the picture to its answer",
    "latency.refinement_ms": "from the node's receipt of the hands to its answer, where there is a refiner",
    "latency.retargeting_ms": "from the node's receipt of the hands to its answer",
    "age_ms": "of the picture on the ROS clock when its turn came, the largest over the nodes",
}
"""Of one picture. Of a recording each is the mean over the pictures that have it."""

_HIGH = ("f_5", "f_15", "contact_precision", "contact_recall", "contact_f1")
LARGER_IS_BETTER = frozenset(
    {f"{first}.{name}" for first in ("hand", "refined") for name in _HIGH} | {"object.fs_5", "object.fs_10"}
)
"""Those of pictures; all others are better where they are smaller."""

FIGURES: Mapping[str, str] = {
    **FRAME_FIGURES,
    "frames": "pictures that were sent",
    "answered": "share of the pictures that got an answer: goals, or a refusal with its reason",
    "refused": "share of the pictures that were refused by a node, for whatever reason",
    "unanswered": "share of the pictures without goal or refusal: replaced by a newer one, or lost on the way",
    "lost": "pictures without an answer, where no node says that a newer one took the place: lost on the way",
    "failed": "share of the pictures that broke a threshold of pictures",
    "missing": "share of the pictures that the recording lacks: gaps of its stamps against their usual step",
    "backwards": "pictures whose stamp is not later than that of the picture before",
    "hand.found": "share of the pictures with a true hand in which a hand was found",
    "hand.auc": "area under the PCK curve from 0 to 50 mm, 0..1 [AUC]",
    "hand.acceleration_error_m_s2": "mean difference of the keypoints' second differences in time",
    "object.found": "share of the pictures with a true object in which one was found",
    "object.add_05d": "share of the pictures with a true object in which one was found whose ADD is at most half the "
    "diagonal of its box; none is taken as symmetric [ADD-0.5D]",
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
    "grasp.acc": "share of the grasps that the semantic classifier gives the affordance that they were made for; the "
    "same classifier labelled training data [ACC]",
    "grasp.sd_cm": "shift of the true object, free, on a still hand in MuJoCo: 1 kg, friction 3, 35 steps of 1/240 s, "
    "weight along -z of the mesh's frame; of the first 16 grasps of a side that are to hold it [SD]",
    "grasp.entropy": "of the counts of 20 clusters of the grasps' keypoints in the object's frame, at most 2.996; of "
    "at least 20 grasps, and of so few it says little [Entropy, cluster size]",
    "grasp.cluster_size": "mean distance of a grasp from its cluster's middle in standard deviations of the keypoints' "
    "coordinates; of at least 20 grasps [Entropy, cluster size]",
    "grasp.latency_p95_ms": "95th percentile from a sentence to its grasps or its refusal",
    "memory.growth_mb": "of the nodes' process, from a fifth of the run to its end",
}
"""Of a whole recording."""
