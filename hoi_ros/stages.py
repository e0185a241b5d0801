"""The stages of the pipeline: one small Protocol each, and the registry that finds them by name.

Adding one means one new folder and one registry line. Modules are imported on first use, so a pipeline loads only the
libraries of the stages it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import CameraFrame, Grasp, HandPose, JointGoal, ObjectCloud

if TYPE_CHECKING:
    from hoi_ros.parameters import Parameters


class Estimator(Protocol):
    """Hands in a picture."""

    def estimate(self, frame: CameraFrame) -> list[HandPose]:
        """Every hand in ``frame``; empty when there is none. Raises Refused for a frame it cannot use."""
        ...

    def reset(self) -> None:
        """Forget all tracks."""
        ...


class Refiner(Protocol):
    """Corrects what is noisy or hidden in a hand estimate."""

    def refine_all(
        self, hands: Sequence[HandPose], cloud: ObjectCloud | None, instruction: str, seed: int
    ) -> list[HandPose]:
        """Better ``hands`` near one object, in their order; those that stay as they are say why in ``refinement``.

        Hands and cloud are finite and in one frame. None: no object is known. The same arguments give the same hands.
        Raises Refused for a cloud that it cannot use.
        """
        ...

    def reset(self) -> None:
        """Forget the cloud."""
        ...


class Synthesizer(Protocol):
    """Grasps for a sentence."""

    def synthesize(self, cloud: ObjectCloud, instruction: str, count: int, seed: int) -> list[Grasp]:
        """At most ``count`` grasps by right hands, best first, in the frame of ``cloud``.

        The cloud is as it came, of any number of points, finite, z up. The same arguments give the same grasps. Raises
        Refused for a sentence, an object or a cloud that it cannot use.
        """
        ...

    def reset(self) -> None:
        """Forget whatever is followed."""
        ...


class Retargeter(Protocol):
    """Joint goals of a robot hand."""

    limits: dict[str, tuple[float, float]]  # joint -> lower and upper, rad

    def retarget(self, hand: HandPose) -> JointGoal:
        """Goal for one hand, warm-started from the last. Raises Refused for keypoints that are not a hand."""
        ...

    def reset(self) -> None:
        """Forget the last goal."""
        ...


# kind -> name -> "module:factory"; a factory takes the Parameters and returns the stage.
REGISTRY: dict[str, dict[str, str]] = {
    "estimator": {"landmarks": "hoi_ros.methods.landmarks:build"},
    "refiner": {
        "choir": "hoi_ros.methods.choir:build_refiner",
        "affordance_prior": "hoi_ros.methods.affordance_prior:build",
        "affordance_prior+choir": "hoi_ros.methods.in_turn:build",
    },
    "synthesizer": {
        "affordgrasp": "hoi_ros.methods.affordgrasp:build",
        "choir": "hoi_ros.methods.choir:build_synthesizer",
    },
    "retargeter": dict.fromkeys(("vector", "contact"), "hoi_ros.retargeting:build"),
}


def names(kind: str) -> Sequence[str]:
    """Registered names of a kind of stage."""
    return tuple(REGISTRY[kind])


def build(kind: str, name: str, parameters: Parameters) -> Any:
    """Build the stage ``name``. Raises Refused(PARAMETER) with the known names for an unknown one."""
    if name not in REGISTRY[kind]:
        known = ", ".join(REGISTRY[kind])
        raise Refused(Reason.PARAMETER, f"{kind} '{name}' is not known; choose one of: {known}")
    module, factory = REGISTRY[kind][name].split(":")
    return getattr(import_module(module), factory)(parameters)
