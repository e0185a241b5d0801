"""Figures over time: joint angles against their limits, errors against ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from hoi_ros.types import Array

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

COLUMNS = ("TH", "FF", "MF", "RF", "LF", "WR")
TITLES = {"TH": "thumb", "FF": "index", "MF": "middle", "RF": "ring", "LF": "little", "WR": "wrist"}
ROWS = 5  # J1 to J5
LINE, BAND = "#12808c", "#cfe3e6"
NEAR = 0.02  # rad from a limit that counts as on it


def joint_angles(
    path: Path,
    names: Sequence[str],
    positions: Array,
    along: Array,
    limits: Mapping[str, tuple[float, float]],
    unit: str = "s",
) -> None:
    """Angles (N, J) rad of every joint against its limits: a panel each, a column for a finger. ``along`` (N,) is x."""
    figure, axes = plt.subplots(ROWS, len(COLUMNS), figsize=(12.0, 8.0), sharex=True, layout="constrained")
    panels = {name: name.rpartition("_")[2] for name in names}
    used = set()
    for name, angles in zip(names, positions.T, strict=True):
        finger, number = panels[name][:2], int(panels[name][3:])
        axis = axes[number - 1, COLUMNS.index(finger)]
        used.add(axis)
        low, high = np.degrees(limits[name])
        axis.axhspan(low, high, color=BAND, lw=0)
        axis.plot(along, np.degrees(angles), color=LINE, lw=1.5)
        held = (angles <= limits[name][0] + NEAR) | (angles >= limits[name][1] - NEAR)
        axis.plot(along[held], np.degrees(angles[held]), ".", color="#d2691e", ms=3)
        margin = 0.12 * (high - low)
        axis.set_ylim(low - margin, high + margin)
        axis.set_title(panels[name], fontsize=9, loc="left", pad=2)
        axis.tick_params(labelsize=7)
    for axis in axes.flat:
        if axis not in used:
            axis.set_axis_off()
        axis.spines[["top", "right"]].set_visible(False)
    for column, finger in enumerate(COLUMNS):
        lowest = max(
            (a for a in axes[:, column] if a in used), key=lambda a: a.get_subplotspec().rowspan.start, default=None
        )
        if lowest is not None:
            lowest.tick_params(labelbottom=True)
            lowest.set_xlabel(f"{TITLES[finger]}, {unit}", fontsize=8)
    figure.suptitle("Joint goals, degrees; the band is the joint's range, dots lie on a limit", fontsize=11)
    _save(figure, path)


def errors(path: Path, seconds: Array, curves: Mapping[str, Array], unit: str) -> None:
    """Curves (N,) over time with their means."""
    figure, axis = plt.subplots(figsize=(12.0, 3.2), layout="constrained")
    for (name, values), colour in zip(curves.items(), (LINE, "#d2691e", "#7a5bb5", "#3c8d40"), strict=False):
        axis.plot(seconds, values, lw=1.5, color=colour, label=f"{name}: mean {np.nanmean(values):.1f} {unit}")
    axis.set_xlabel("s")
    axis.set_ylabel(unit)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9, ncols=len(curves))
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
