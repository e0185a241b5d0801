"""A synthesizer that does what the sentence tells it to, and the node around it as a program of its own."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from hoi_ros import stages
from hoi_ros.language.request import parse
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import flat_hand
from hoi_ros.types import Grasp, ObjectCloud

GATE = "MADE_SYNTHESIZER_GATE"  # a file that "wait" waits for


class MadeSynthesizer:
    """Flat hands over the object's top, one behind the other by the seed."""

    def __init__(self) -> None:
        self.clouds: list[ObjectCloud] = []
        self.resets = 0

    def synthesize(self, cloud: ObjectCloud, instruction: str, count: int, seed: int) -> list[Grasp]:
        """Raises Refused(INSTRUCTION) for a sentence that asks for nothing known."""
        self.clouds.append(cloud)
        if "fault" in instruction:
            raise ZeroDivisionError("an ounce of nothing")
        while "wait" in instruction and not Path(os.environ[GATE]).exists():
            time.sleep(0.01)
        request = parse(instruction)
        top = cloud.points[cloud.points[:, 2].argmax()]
        rng = np.random.default_rng(seed)
        grasps = []
        for number in range(0 if "nothing" in instruction else count):
            hand = flat_hand("right")
            shift = top + np.array([0.0, 0.01 * rng.random(), 0.02]) - hand.wrist_pose[:3]
            wrist = np.concatenate([hand.wrist_pose[:3] + shift, hand.wrist_pose[3:]])
            hand = replace(hand, transl=hand.transl + shift, keypoints=hand.keypoints + shift, wrist_pose=wrist)
            depth = np.nan if "nan" in instruction else 0.001
            height = float(np.ptp(cloud.points[:, 2]))  # so that of several objects the tallest is grasped
            score = min(0.9, height) * 0.99**number
            grasps.append(Grasp(hand, request.affordance, request.part or "body", score, {"depth": depth}))
        return grasps

    def reset(self) -> None:
        self.resets += 1


def build(_: Parameters) -> MadeSynthesizer:
    return MadeSynthesizer()


def program(folder: Path) -> str:
    """An executable that runs ``grasp_synthesis`` with this synthesizer."""
    path = folder / "grasp_synthesis"
    path.write_text(
        f"#!{sys.executable}\nimport sys\n\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from made_synthesizer import main\n\nmain()\n"
    )
    path.chmod(0o755)
    return str(path)


def main() -> None:
    from hoi_ros.nodes import grasp_synthesis

    stages.REGISTRY["synthesizer"] = {"affordgrasp": "made_synthesizer:build"}
    grasp_synthesis.main()
