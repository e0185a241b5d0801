"""Builds the embedded hand: ``python tools/build_hand.py --out hoi_ros/hand/embedded_right.npz [--pictures DIR]``."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from hand_builder.correctives import build_correctives
from hand_builder.flesh import build_flesh
from hand_builder.pictures import write_pictures
from hand_builder.shapes import build_regressor, build_shapes
from hand_builder.skeleton import PARENTS, TIP_VERTICES, build_skeleton
from hand_builder.skinning import build_weights
from hand_builder.surface import build_surface
from hand_builder.synergies import build_components
from numpy.typing import NDArray

SEED = 7


def build_hand() -> dict[str, NDArray[Any]]:
    """The hand's arrays under MANO's names, and ``tip_vertices`` (thumb, index, middle, ring, little)."""
    skeleton = build_skeleton()
    flesh = build_flesh(skeleton)
    vertices, faces = build_surface(skeleton, flesh)
    weights = build_weights(vertices, faces, skeleton)
    shapedirs, joint_shapes = build_shapes(vertices, weights, skeleton)
    components, mean = build_components(skeleton, SEED)
    return {
        "v_template": vertices,
        "f": faces.astype(np.int32),
        "shapedirs": shapedirs,
        "posedirs": build_correctives(vertices, faces, weights, skeleton, flesh),
        "J_regressor": build_regressor(vertices, shapedirs, skeleton, joint_shapes),
        "kintree_table": np.stack([np.where(PARENTS < 0, 2**32 - 1, PARENTS), np.arange(16)]).astype(np.int64),
        "weights": weights,
        "hands_components": components,
        "hands_mean": mean,
        "tip_vertices": np.array(
            [TIP_VERTICES[d] for d in ("thumb", "index", "middle", "ring", "little")], dtype=np.int32
        ),
    }


def main() -> None:
    """Writes the file the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of poses and shapes")
    arguments = parser.parse_args()
    hand = build_hand()
    np.savez_compressed(arguments.out, **hand)
    if arguments.pictures:
        write_pictures(hand, build_skeleton(), arguments.pictures)


if __name__ == "__main__":
    main()
