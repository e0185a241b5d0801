"""Why an input could not be used: one typed reason, one sentence with the offending values.

The numeric values are wire format: they are the constants of ``msg/Status.msg`` (a test holds the two equal), so an
entry keeps its number for ever and new ones go at the end.
"""

from enum import IntEnum


class Reason(IntEnum):
    """Typed reason of a refusal, as carried by ``hoi_ros/Status.reason``."""

    NONE = 0
    ENCODING = 1  # unknown or unsupported picture encoding
    PICTURE_SIZE = 2  # zero-size picture
    PICTURE_DATA = 3  # step, data length or compressed data that do not make the stated picture
    DEPTH_VALUES = 4  # depth without one usable pixel: NaN, negative, zero everywhere
    DEPTH_SIZE = 5  # depth of another size than the picture
    DEPTH_MISSING = 6  # no depth with the picture's stamp
    NO_CAMERA_INFO = 7  # nothing on the camera_info topic in time
    INTRINSICS = 8  # focal lengths or centre that no camera has
    STAMP_BACKWARDS = 9  # older than the frame before it
    STALE = 10  # too old when its turn came
    NO_HAND = 11  # no hand in the picture
    HAND_LEFT_PICTURE = 12  # the followed hand is (partly) outside the picture
    KEYPOINTS = 13  # keypoints that are not finite or not a hand
    SIDE = 14  # hands are there, but not of the side the robot hand has
    NOT_FINITE = 15  # a computation gave a non-finite number
    FILE = 16  # a file that is missing, truncated or of another kind
    HAND_MODEL = 17  # a MANO file that is not one
    FOREIGN_CLASS = 18  # a pickle naming a class outside the allow-list
    ROBOT_DESCRIPTION = 19  # a URDF without the expected joints
    PARAMETER = 20  # a parameter value outside its range
    TIMEOUT = 21  # no answer in time
    INTERNAL = 22  # a fault of ours; the log holds the traceback
    LIMIT = 23  # a joint goal outside its limits
    MESH = 24  # a mesh that bounds no solid: empty, open, folded into itself, inside out, not in metres, not finite
    CLOUD = 25  # a cloud without usable points, or bytes that do not make the stated points
    INSTRUCTION = 26  # a sentence that asks for no use of an object, or for one that the object does not have
    NO_CLOUD = 27  # nothing on the object_cloud topic in time
    FRAME = 28  # a cloud whose frame does not say where up is, or that no transform leads to
    NO_GRASP = 29  # a request that can be read, but no grasp that fulfils it
    BUSY = 30  # more goals waiting than are taken
    CANCELLED = 31  # the client cancelled the goal, or the node was deactivated before its turn came
    REPLACED = 32  # a newer input came before its turn


class Refused(Exception):
    """An input that cannot be used, with its typed reason. The message names the offending values."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
