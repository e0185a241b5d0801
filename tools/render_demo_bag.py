"""Renders the demo's bag: ``python tools/render_demo_bag.py --out hoi_ros/demo/hand.mcap [--pictures DIR]``.

The embedded hand opens, makes a fist, points, pinches, spreads and waves before an RGB-D camera; the ground truth is
the model's own keypoints. The same seed gives the same bag.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from demo_bag.messages import START, TOPICS, CompressedBag, picture_messages
from demo_bag.motion import SCORE, hand_motion
from demo_bag.scene import CAMERA, Scene
from rosbags.typesys import Stores, get_typestore

from hoi_ros.hand import load_hand_model

RATE = 15.0  # Hz
SEED = 3


def main() -> None:
    """Render and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the .mcap to write")
    parser.add_argument("--pictures", type=Path, help="folder for the pictures as PNG, to look at")
    parser.add_argument("--every", type=int, default=1, help="render only every so many pictures, to look quickly")
    arguments = parser.parse_args()
    model = load_hand_model()
    times = np.arange(0.0, SCORE[-1][0], arguments.every / RATE)
    motion = hand_motion(model, times)
    truth = model.joints(motion[0], motion[1], transl=motion[2])
    scene, rng = Scene(model), np.random.default_rng(SEED)
    with CompressedBag(arguments.out, TOPICS, get_typestore(Stores.ROS2_JAZZY)) as bag:
        for i, time in enumerate(times):
            colour, depth = scene.render(motion[0][i], motion[1][i], motion[2][i], rng)
            stamp = START + round(time * 1e9)
            for topic, message in picture_messages(stamp, colour, depth, truth[i], CAMERA).items():
                bag.write(topic, stamp, message)
            if arguments.pictures:
                arguments.pictures.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(arguments.pictures / f"{i:03d}.png"), colour[..., ::-1])


if __name__ == "__main__":
    main()
