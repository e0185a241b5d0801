"""One unit of work: an object with a person, the grasps of all its uses that pass every test, words and pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

from hoi_ros.dataset.manifest import Record, Tally
from hoi_ros.dataset.orders import Made, Order
from hoi_ros.dataset.presets import UNSEEN, split_of
from hoi_ros.dataset.reader import object_row
from hoi_ros.dataset.shards import digest, encode
from hoi_ros.dataset.trials import Trials
from hoi_ros.hand import HandModel, load_hand_model
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.language.descriptions import Describer, affordance, partial_fields
from hoi_ros.language.instructions import write
from hoi_ros.methods.optimisation.optimiser import GraspOptimiser
from hoi_ros.scene.affordances import PUSHING, Affordance, Use
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import Array, HandBatch

if TYPE_CHECKING:
    from hoi_ros.dataset.pictures import Picture, Shape

PERSON_LIMIT = 2.0  # standard deviations of a shape coefficient
SENTENCES, HELD_OUT_SENTENCES = 6, 2  # for every grasp
FIXED = ("faucet",)  # categories that nobody carries about
CLUTTER = 10_000  # instance that stands around in pictures, of every category that is trained on
DEEPEST = 6.5  # m: true depth is kept in tenths of a millimetre


@dataclass
class Stages:
    """Tallies of the stages of a unit, in the order they first ran, and why candidates were rejected."""

    tallies: dict[str, Tally] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def stage(self, name: str, entered: int) -> Iterator[Tally]:
        """Time a stage; what it lets pass is added to ``left``."""
        tally = self.tallies.setdefault(name, Tally())
        tally.entered += entered
        start = process_time()
        try:
            yield tally
        finally:
            tally.cpu_s += process_time() - start


def make(order: Order) -> Made:
    """Make a unit. The same order gives the same files, in whatever process.

    Raises Refused(MESH) for a user's mesh that cannot be used.
    """
    import torch

    torch.set_num_threads(1)
    unit, stages = order.unit, Stages()
    streams = _streams(order)
    with stages.stage("object", 1) as tally:
        obj = _object(order)
        tally.left += 1
    split = split_of(unit.category, unit.index)
    person = np.clip(streams[0].standard_normal(10), -PERSON_LIMIT, PERSON_LIMIT)
    grasps = _grasps(order, obj, person, streams[1], stages)
    head = {"object": obj.name, "category": obj.category, "split": split}
    rows: dict[str, list[dict[str, Any]]] = {}
    with stages.stage("words", len(grasps)) as tally:
        rows["objects"] = [object_row(obj, split, person) | refusing_words(obj, streams[2])]
        rows["grasps"] = [
            head | {"number": number} | grasp | words(obj, grasp, streams[2]) for number, grasp in enumerate(grasps)
        ]
        tally.left += len(grasps)
    if order.pictures:
        rows["pictures"] = _pictures(order, obj, rows["grasps"], streams[3], stages)
    files = {table: encode(table, content) for table, content in rows.items()}
    record = Record(
        name=unit.name,
        category=unit.category,
        split=split,
        files={table: digest(data) for table, data in files.items()},
        counts={table: len(content) for table, content in rows.items()},
        accepted=dict(sorted(Counter(grasp["affordance"] for grasp in grasps).items())),
        rejected=dict(sorted(stages.rejected.items())),
        stages=stages.tallies,
    )
    return Made(record, files)


@cache
def hand_model() -> HandModel:
    """The embedded hand, loaded once a process."""
    return load_hand_model()


@cache
def optimiser() -> GraspOptimiser:
    """Synthesises grasps with the embedded hand, whose flesh it looks into once a process."""
    return GraspOptimiser(hand_model())


@cache
def describer() -> Describer:
    """Describes grasps by the embedded hand."""
    return Describer(hand_model())


@cache
def clutter(seed: int) -> tuple[Shape, ...]:
    """What may stand around in pictures: instances that no unit is about."""
    from hoi_ros.dataset.objects import FAMILIES, make_object
    from hoi_ros.dataset.pictures import shape_of

    return tuple(shape_of(make_object(name, CLUTTER, seed)) for name in sorted(FAMILIES) if name not in UNSEEN)


def _streams(order: Order) -> list[np.random.Generator]:
    """Random streams of the person, the grasps, the words and the pictures: they depend on seed and name alone."""
    key = hashlib.sha256(f"{order.seed}/{order.unit.name}".encode()).digest()
    return [np.random.default_rng(child) for child in np.random.SeedSequence(list(key)).spawn(4)]


def _object(order: Order) -> ObjectModel:
    unit = order.unit
    if unit.mesh:
        from hoi_ros.scene.meshes import object_model

        return object_model(unit.mesh, labels=unit.labels or None, category=unit.category, name=unit.name)
    from hoi_ros.dataset.objects import make_object

    return make_object(unit.category, unit.index, order.seed)


def _grasps(
    order: Order, obj: ObjectModel, person: Array, rng: np.random.Generator, stages: Stages
) -> list[dict[str, Any]]:
    """Rows of the accepted grasps, use by use."""
    trials = Trials(optimiser(), obj, person, stages)
    rows: list[dict[str, Any]] = []
    for number, use in enumerate(obj.uses):
        found: list[dict[str, Any]] = []
        for _ in range(0, order.preset.tries, order.preset.batch):
            found += trials.run(use, order.preset.batch, int(rng.integers(2**31)))
            if len(found) >= order.preset.grasps:
                break
        rows += [{"use": number} | row for row in found]
    return rows


def refusing_words(obj: ObjectModel, rng: np.random.Generator) -> dict[str, list[str]]:
    """Columns of the sentences that ask for no hand at all."""
    columns = {}
    for name, kind in (("no_grasp", Affordance.NO_GRASP), ("null", Affordance.NULL)):
        use = Use(kind, obj.part_names[0], ())
        columns[f"{name}_instructions"] = write(obj, use, rng, SENTENCES)
        columns[f"held_out_{name}_instructions"] = write(obj, use, rng, HELD_OUT_SENTENCES, held_out=True)
    return columns


def words(obj: ObjectModel, grasp: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Columns of a grasp's sentences."""
    use = obj.uses[grasp["use"]]
    orient, pose = np.split(grasp["pose"], [3])
    kind, contacts = GraspType(grasp["grasp_type"]), grasp["region_contact"]
    levels = describer().hierarchical(obj, use, contacts, orient, pose, rng)
    return {
        "instructions": write(obj, use, rng, SENTENCES),
        "held_out_instructions": write(obj, use, rng, HELD_OUT_SENTENCES, held_out=True),
        "object_description": levels.object,
        "unnamed_object_description": levels.unnamed_object,
        "hand_description": levels.hand,
        "interaction_description": levels.interaction,
        "affordance_description": affordance(obj, use, kind, contacts, rng),
        "partial_description": affordance(obj, use, kind, contacts, rng, partial_fields(rng)),
        "region_contact": contacts.ravel(),
    }


def _pictures(
    order: Order, obj: ObjectModel, grasps: list[dict[str, Any]], rng: np.random.Generator, stages: Stages
) -> list[dict[str, Any]]:
    """Rows of the pictures of the first grasps of every use."""
    from hoi_ros.dataset.pictures import render_views

    rows = []
    seen: Counter[int] = Counter()
    for grasp in grasps:
        seen[grasp["use"]] += 1
        if seen[grasp["use"]] > order.preset.pictured:
            continue
        orient, pose = np.split(grasp["pose"], [3])
        hand = HandBatch(orient[None], pose[None], grasp["betas"][None], grasp["transl"][None])
        with stages.stage("pictures", order.preset.views) as tally:
            pictures = render_views(
                obj,
                hand,
                hand_model(),
                order.preset.views,
                rng,
                carried=obj.uses[grasp["use"]].affordance not in PUSHING and obj.category not in FIXED,
                others=clutter(order.seed),
            )
            tally.left += order.preset.views
        head = {"object": grasp["object"], "split": grasp["split"], "grasp": grasp["number"]}
        rows += [head | _picture_row(picture) | _view_words(obj, grasp, picture, rng) for picture in pictures]
    return rows


def _view_words(obj: ObjectModel, grasp: dict[str, Any], picture: Picture, rng: np.random.Generator) -> dict[str, str]:
    """Object and hand in words, with the directions of the picture."""
    contacts = grasp["region_contact"].reshape(-1, len(obj.part_names))
    turn = Rotation.from_quat(picture.object_pose[3:]).as_matrix()
    orient, pose = np.split(grasp["pose"], [3])
    levels = describer().hierarchical(obj, obj.uses[grasp["use"]], contacts, orient, pose, rng, turn)
    return {"object_description": levels.object, "hand_description": levels.hand}


def _picture_row(picture: Picture) -> dict[str, Any]:
    from hoi_ros.dataset.pictures import encode as png
    from hoi_ros.dataset.pictures import encode_colour as jpeg

    lens = picture.intrinsics
    return {
        "view": picture.view,
        "kind": picture.kind,
        "width": picture.rgb.shape[1],
        "height": picture.rgb.shape[0],
        "intrinsics": [lens.fx, lens.fy, lens.cx, lens.cy],
        "rgb": jpeg(picture.rgb),
        "depth": png(picture.depth),
        "true_depth": png(np.rint(1e4 * np.minimum(picture.true_depth, DEEPEST)).astype(np.uint16)),
        "masks": png(picture.masks),
        "object_pose": picture.object_pose,
        "global_orient": picture.hand.global_orient[0],
        "transl": picture.hand.transl[0],
        "keypoints": picture.keypoints.ravel(),
        "visible": picture.visible,
        "hand_occlusion": picture.hand_occlusion,
        "object_occlusion": picture.object_occlusion,
    }
