"""The hand: MANO's schema, posed, limited, mirrored and fitted. See ``model`` and ``inverse_kinematics``."""

from hoi_ros.hand.inverse_kinematics import HandFit, HandSolver, Priors
from hoi_ros.hand.limits import Limits
from hoi_ros.hand.model import HandMesh, HandModel, load_hand_model
from hoi_ros.hand.observations import Depths, Pixels, Points, Relative
from hoi_ros.hand.pose import make_hand_pose

__all__ = [
    "Depths",
    "HandFit",
    "HandMesh",
    "HandModel",
    "HandSolver",
    "Limits",
    "Pixels",
    "Points",
    "Priors",
    "Relative",
    "load_hand_model",
    "make_hand_pose",
]
