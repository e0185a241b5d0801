"""How different grasps are from each other [Entropy, cluster size]."""

from __future__ import annotations

import numpy as np
from scipy.cluster.vq import kmeans, vq, whiten

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

CLUSTERS = 20
ROUNDING = 1e-9  # m


def entropy_and_cluster_size(joints: Array, seed: int = 0) -> tuple[float, float]:
    """Entropy of the counts of 20 k-means clusters (natural logarithm, at most ln 20 = 2.996), and mean distance.

    ``joints`` (N, J, 3) are flattened, each coordinate divided by its standard deviation (SciPy's ``whiten``) and
    clustered by SciPy's ``kmeans``, the best of 20 starts; the distance is that of a grasp from its cluster's
    middle, in standard deviations [FastGrasp]. Joints are compared in the frame they are given in, there the object's.

    Raises Refused(PARAMETER) for fewer grasps than clusters.
    """
    if len(joints) < CLUSTERS:
        raise Refused(Reason.PARAMETER, f"{len(joints)} grasps are too few for {CLUSTERS} clusters")
    flat = joints.reshape(len(joints), -1)
    spread = flat.std(axis=0) > ROUNDING  # divided by less, k-means would see the rounding, and may not end
    whitened = whiten(flat[:, spread]) if spread.any() else flat
    centres, _ = kmeans(whitened, CLUSTERS, seed=np.random.default_rng(seed))
    assigned, distances = vq(whitened, centres)
    counts = np.bincount(assigned)
    shares = counts[counts > 0] / len(flat)
    return float(-(shares * np.log(shares)).sum()), float(distances.mean())
