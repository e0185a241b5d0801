"""The 28 grasp types of HOGraspNet, numbered as in the GRASP taxonomy (Feix et al., 2016)."""

from __future__ import annotations

from enum import IntEnum


class GraspType(IntEnum):
    """Grasp type; the value is the number in the GRASP taxonomy. Order and selection: HOGraspNet (methods.md 1.6)."""

    LARGE_DIAMETER = 1
    SMALL_DIAMETER = 2
    INDEX_FINGER_EXTENSION = 17
    EXTENSION_TYPE = 18
    PARALLEL_EXTENSION = 22
    PALMAR = 30
    MEDIUM_WRAP = 3
    ADDUCTED_THUMB = 4
    LIGHT_TOOL = 5
    DISTAL_TYPE = 19
    RING = 31
    POWER_DISK = 10
    POWER_SPHERE = 11
    SPHERE_4_FINGER = 26
    SPHERE_3_FINGER = 28
    LATERAL = 16
    STICK = 29
    ADDUCTION_GRIP = 23
    WRITING_TRIPOD = 20
    LATERAL_TRIPOD = 25
    PALMAR_PINCH = 9
    TIP_PINCH = 24
    INFERIOR_PINCER = 33
    PRISMATIC_3_FINGER = 7
    PRECISION_DISK = 12
    PRECISION_SPHERE = 13
    QUADPOD = 27
    TRIPOD = 14
