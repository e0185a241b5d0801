"""How well a map of probabilities over points agrees with the true one [Affordance, LASO]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from hoi_ros.types import Array

Mask = NDArray[np.bool_]

THRESHOLDS = np.linspace(0.0, 1.0, 20)


@dataclass(frozen=True)
class AffordanceScores:
    """Scores (N,) of maps; NaN where the true map is empty, or full for the AUC."""

    iou: Array  # mean over 20 thresholds from 0 to 1
    auc: Array
    sim: Array  # sum of the smaller of the two maps, each divided by its sum
    mae: Array

    def means(self) -> dict[str, float]:
        """Mean of each over the maps that have one."""
        return {name: float(np.nanmean(values)) for name, values in vars(self).items()}


def affordance_scores(predicted: Array, true: Array) -> AffordanceScores:
    """Scores of predicted maps (N, P) in 0..1 against true ones (N, P); a true point counts from 0.5 on."""
    mask = true >= 0.5
    ious = [_iou(predicted >= threshold, mask) for threshold in THRESHOLDS]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [values / values.sum(axis=1, keepdims=True) for values in (predicted, true)]
        sim = np.minimum(*shares).sum(axis=1)
    return AffordanceScores(np.mean(ious, axis=0), _auc(predicted, mask), sim, np.abs(predicted - true).mean(axis=1))


def _iou(predicted: Mask, mask: Mask) -> Array:
    union = (predicted | mask).sum(axis=1)
    shared = (predicted & mask).sum(axis=1)
    return np.where(mask.any(axis=1), shared / np.maximum(union, 1), np.nan)


def _auc(predicted: Array, mask: Mask) -> Array:
    """Area under the ROC curve, as the Mann-Whitney statistic: ties count half."""
    positive, total = mask.sum(axis=1), mask.shape[1]
    ranks = rankdata(predicted, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (np.where(mask, ranks, 0.0).sum(axis=1) - positive * (positive + 1) / 2) / (
            positive * (total - positive)
        )
    return np.where((positive > 0) & (positive < total), area, np.nan)
