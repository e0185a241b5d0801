"""Every parameter of the pipeline, once: nodes declare them, the command line and the offline run read them.

``config/grasp_pipeline.yaml`` lists the same names with the same defaults (a test holds the two equal).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

from hoi_ros.refusals import Reason, Refused

MOST_GRASPS = 256  # of one request


def _p(
    default: Any, doc: str, *, among: tuple[str, ...] = (), least: float | None = None, most: float | None = None
) -> Any:
    return field(default=default, metadata={"doc": doc, "among": among, "least": least, "most": most})


@dataclass(frozen=True)
class Parameters:
    """Parameters; documentation and ranges are in the field metadata (``doc``, ``among``, ``least``, ``most``)."""

    estimator: str = _p("landmarks", "How hands are found in pictures.", among=("landmarks",))
    refiner: str = _p(
        "none",
        "How hands are corrected: where they are near an object (choir), what of them is hidden, or both in turn.",
        among=("none", "choir", "affordance_prior", "affordance_prior+choir"),
    )
    refiner_reach: float = _p(0.025, "How far off estimated hands may be, m: farther ones stay.", least=0.001, most=0.3)
    synthesizer: str = _p(
        "affordgrasp",
        "How a sentence and a cloud become grasps: affordgrasp does what it asks, choir heeds only what it forbids.",
        among=("affordgrasp", "choir"),
    )
    retargeter: str = _p("vector", "How hands become robot joint goals.", among=("vector", "contact"))
    device: str = _p("auto", "Where models run: auto takes a GPU where there is one.", among=("auto", "cpu", "cuda"))
    hand_model_path: str = _p("", "Licensed MANO_RIGHT.pkl (or .npz of its schema); empty: the embedded hand.")
    max_hands: int = _p(2, "Hands followed at once.", least=1, most=8)
    min_score: float = _p(0.5, "Least detection and tracking score of a hand.", least=0.0, most=1.0)
    smoothing: bool = _p(True, "One Euro filter on the hand parameters.")
    smoothing_min_cutoff: float = _p(2.0, "One Euro: cut-off at rest, Hz.", least=0.01, most=100.0)
    smoothing_beta: float = _p(5.0, "One Euro: how fast the cut-off rises with speed.", least=0.0, most=1000.0)
    robot_hand: str = _p("shadow_right", "Robot hand.", among=("shadow_right", "shadow_left"))
    robot_description: str = _p("", "URDF text with the robot's joint limits; empty: the embedded table.")
    coupling: bool = _p(True, "Keep J1 <= J2 on the fingers, which share a motor.")
    goal_duration: float = _p(0.1, "time_from_start of the joint goal, s.", least=0.001, most=10.0)
    max_age: float = _p(0.5, "Inputs older than this on the ROS clock are refused, s.", least=0.01, most=60.0)
    image_transport: str = _p("raw", "raw: image; compressed: image/compressed.", among=("raw", "compressed"))
    use_depth: str = _p("auto", "auto: when somebody publishes depth.", among=("auto", "always", "never"))
    depth_slop: float = _p(0.01, "Largest stamp difference of a picture and its depth, s.", least=0.0, most=1.0)
    depth_timeout: float = _p(0.1, "How long a picture waits for its depth, s.", least=0.0, most=5.0)
    camera_info_timeout: float = _p(
        2.0, "Pictures are refused by name of the topic after this, s.", least=0.1, most=60.0
    )
    grasp_count: int = _p(8, "Grasps for a sentence, at most.", least=1, most=MOST_GRASPS)
    segment_scene: bool = _p(False, "object_cloud is a table scene: its objects are found first.")
    up: str = _p("", "Up in the frame of object_cloud, three numbers 'x y z'; empty: z, or as gravity_frame says.")
    gravity_frame: str = _p("", "Frame whose z points up, base_link say: tf2 turns clouds to it.")
    cloud_timeout: float = _p(2.0, "How long a sentence waits for a cloud, s.", least=0.0, most=60.0)
    cloud_max_age: float = _p(
        5.0, "A streamed cloud older than this is not used, s; a latched one always is.", least=0.01, most=3600.0
    )

    def __post_init__(self) -> None:
        """Check every range. Raises Refused(PARAMETER) naming the parameter, its value and what it may be."""
        for f in fields(self):
            value, meta = getattr(self, f.name), f.metadata
            if meta["among"] and value not in meta["among"]:
                known = ", ".join(meta["among"])
                raise Refused(Reason.PARAMETER, f"{f.name} is '{value}'; choose one of: {known}")
            low, high = meta["least"], meta["most"]
            if low is not None and not low <= value <= high:
                raise Refused(Reason.PARAMETER, f"{f.name} is {value}; it must be between {low} and {high}")
        if self.up:
            direction(self.up)

    def with_values(self, values: Mapping[str, Any]) -> Parameters:
        """The same with some values changed. Raises Refused(PARAMETER), with the nearest of the known names."""
        kinds: dict[str, type[Any]] = {f.name: type(f.default) for f in fields(self)}
        for name, value in values.items():
            if name not in kinds:
                raise Refused(Reason.PARAMETER, f"parameter '{name}' is not known{nearest(name, kinds)}")
            fits = isinstance(value, kinds[name]) or (kinds[name] is float and type(value) is int)
            if not fits or (isinstance(value, bool) and kinds[name] is not bool):
                raise Refused(Reason.PARAMETER, f"{name} is {value!r}; it must be a {kinds[name].__name__}")
        return replace(self, **{name: kinds[name](value) for name, value in values.items()})


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the nearest known one, else all of them."""
    names = list(known)
    close = get_close_matches(name, names, 1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(names)}"


def direction(text: str) -> tuple[float, float, float]:
    """The three numbers of a direction. Raises Refused(PARAMETER) unless they are finite and not all zero."""
    try:
        x, y, z = (float(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise Refused(Reason.PARAMETER, f"up is '{text}'; it must be three numbers: x y z") from None
    if not 1e-6 < math.hypot(x, y, z) < 1e6:
        raise Refused(Reason.PARAMETER, f"up is '{text}'; no direction has this length")
    return x, y, z
