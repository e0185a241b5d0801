"""The one composition of the stages, free of ROS: nodes, command line and replay all run this.

A picture becomes hands (`Pipeline.estimate`), those may be corrected (`Pipeline.refine`), hands become a joint goal
(`Pipeline.retarget`), and `Pipeline.step` does it all. A cloud and a sentence become grasps (`Pipeline.synthesize`),
and those what the robot hand does for each (`Pipeline.plan`). What comes out is finite and inside the robot's limits,
or it does not come out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from hoi_ros import stages
from hoi_ros.hand import HandFit, load_hand_model, make_hand_pose
from hoi_ros.hand.mirror import mirror_hand, mirror_points
from hoi_ros.hand.rigid import turned_hand
from hoi_ros.language.request import LONGEST
from hoi_ros.parameters import MOST_GRASPS, Parameters, direction
from hoi_ros.refusals import Reason, Refused
from hoi_ros.safety import ensure_finite, ensure_safe
from hoi_ros.stages import Estimator, Refiner, Retargeter, Synthesizer
from hoi_ros.types import Array, CameraFrame, Grasp, GraspGoals, HandPose, Intrinsics, JointGoal, ObjectCloud, Side

if TYPE_CHECKING:
    from hoi_ros.retargeting.postures import Planner
    from hoi_ros.scene.nearby import Nearby
    from hoi_ros.scene.upright import Upright

T = TypeVar("T")
Tell = Callable[[str, float, int], None]  # step, progress 0..1, grasps so far; may raise Refused to end the work

STAGES = ("estimator", "retargeter")
NONE = "none"  # in place of a stage's name: it is left out
PLANNED_AT_ONCE = 16  # grasps: as long as a client waits for its goal to be cancelled
DUMMY_CAMERA = Intrinsics(600.0, 600.0, 320.0, 240.0)


@dataclass(frozen=True)
class Result:
    """What one picture gave."""

    hands: list[HandPose]
    goal: JointGoal | None
    refusals: dict[str, Refused] = field(default_factory=dict)  # stage -> why it gave nothing
    timings: dict[str, float] = field(default_factory=dict)  # stage -> s
    refined: list[HandPose] | None = None  # that the goal is of; None without a refiner, and where it refused


@dataclass(frozen=True)
class Synthesis:
    """What one sentence gave."""

    grasps: list[Grasp]  # best first, by the robot's side, in the frame of the cloud that was given
    upright: Upright  # the object that they grasp


class Pipeline:
    """The built stages with what has to be remembered between pictures."""

    def __init__(
        self,
        parameters: Parameters,
        estimator: Estimator | None = None,
        retargeter: Retargeter | None = None,
        synthesizer: Synthesizer | None = None,
        planner: Planner | None = None,
        refiner: Refiner | None = None,
    ) -> None:
        self.parameters = parameters
        self.estimator = estimator
        self.retargeter = retargeter
        self.synthesizer = synthesizer
        self.planner = planner
        self.refiner = refiner
        self._nearby: Nearby | None = None  # of the last cloud that hands were refined by
        self._track: int | None = None  # of the hand the robot follows

    @classmethod
    def build(cls, parameters: Parameters, kinds: Sequence[str] = STAGES) -> Pipeline:
        """Build the stages of ``kinds`` by the names in ``parameters`` (not ``NONE``), and the planner of grasps.

        Raises Refused(PARAMETER, HAND_MODEL, FILE, FOREIGN_CLASS, ROBOT_DESCRIPTION) as the stages do.
        """
        chosen = {kind: getattr(parameters, kind) for kind in kinds}
        built = {kind: stages.build(kind, name, parameters) for kind, name in chosen.items() if name != NONE}
        if "synthesizer" in kinds:
            from hoi_ros.retargeting.postures import Planner  # MuJoCo, which pictures do without

            contact = replace(parameters, retargeter="contact")
            built["planner"] = Planner(stages.build("retargeter", "contact", contact).hand)
        # Matrices of 40 by 40 gain nothing from threads, whose idle spinning takes 20 ms of processor time a picture.
        threadpool_limits(1, user_api="blas")
        return cls(parameters, **built)

    def estimate(self, frame: CameraFrame) -> list[HandPose]:
        """Hands in a picture; empty when there is none. Raises Refused as the estimator does, and NOT_FINITE."""
        assert self.estimator is not None, "built without an estimator"
        hands = self.estimator.estimate(frame)
        with _forgotten_if_refused(self.estimator):
            for hand in hands:
                ensure_finite(hand)
        return hands

    def refine(
        self,
        hands: Sequence[HandPose],
        cloud: ObjectCloud | None,
        instruction: str = "",
        up: Array | None = None,
        seed: int = 0,
    ) -> list[HandPose]:
        """Every hand corrected beside the object in ``cloud`` that is nearest to it, or marked with why it is not.

        ``up`` (3,) as in `synthesize`; where nothing tells it, no hidden side is completed. No cloud: no object is
        known, which `wants_object` tells of.
        Raises Refused(CLOUD) for a cloud of no use, Refused(FRAME) for one in another frame than a hand,
        NOT_FINITE, KEYPOINTS.
        """
        assert self.refiner is not None, "built without a refiner"
        nearby = self._seen(cloud, up) if cloud is not None and hands else None
        groups = [(range(len(hands)), None)] if nearby is None else nearby.groups(hands)
        found = list(hands)
        for rows, thing in groups:
            better = self.refiner.refine_all([hands[row] for row in rows], thing, instruction, seed)
            for row, hand in zip(rows, better, strict=True):
                ensure_finite(hand)
                found[row] = hand
        return found

    def retarget(self, hands: Sequence[HandPose]) -> JointGoal:
        """Goal for the hand the robot follows.

        That is the best one of the robot's side at first, then the same for as long as it is seen. Raises
        Refused(NO_HAND) without hands, Refused(SIDE) without one of the robot's side, and as the retargeter does.
        """
        assert self.retargeter is not None, "built without a retargeter"
        hand = self._choose(hands)
        goal = self.retargeter.retarget(hand)
        with _forgotten_if_refused(self.retargeter):
            ensure_safe(goal, self.retargeter.limits)
        return goal

    def step(
        self, frame: CameraFrame, see: Callable[[], ObjectCloud | None] = lambda: None, instruction: str = ""
    ) -> Result:
        """Hands and goal of one picture. Refusals are returned by stage, not raised.

        ``see`` gives the cloud of the object for a refiner, or refuses it.
        """
        refusals: dict[str, Refused] = {}
        timings: dict[str, float] = {}
        hands = _timed("estimator", lambda: self.estimate(frame), refusals, timings)
        if hands is None:
            return Result([], None, refusals, timings)
        if self.refiner is None:
            goal = _timed("retargeter", lambda: self.retarget(hands), refusals, timings)
            return Result(hands, goal, refusals, timings)
        refined = _timed("refiner", lambda: self._refine(hands, see(), instruction), refusals, timings)
        if refined is None:
            return Result(hands, None, refusals, timings)
        goal = _timed("retargeter", lambda: self.retarget(refined), refusals, timings)
        return Result(hands, goal, refusals, timings, refined)

    def synthesize(
        self,
        cloud: ObjectCloud,
        instruction: str,
        count: int,
        seed: int = 0,
        up: Array | None = None,
        tell: Tell = lambda *_: None,
    ) -> Synthesis:
        """At most ``count`` grasps for a sentence, in the frame of ``cloud``.

        ``up`` (3,) points away from the ground in that frame; None: only the table of a scene tells. Of the objects of
        a scene that one is grasped whose best grasp scores highest. Raises Refused(INSTRUCTION, PARAMETER) for what
        cannot be asked, Refused(CLOUD, FRAME) for a cloud of no use, Refused(NO_GRASP) without a grasp, NOT_FINITE, and
        as the synthesizer does.
        """
        assert self.synthesizer is not None, "built without a synthesizer"
        _check_request(instruction, count)
        tell("finding the object", 0.0, 0)
        objects = self._objects(cloud, up)
        found: list[Synthesis] = []
        refusals: list[Refused] = []
        for number, each in enumerate(objects):
            tell("synthesis", 0.5 * number / len(objects), max((len(f.grasps) for f in found), default=0))
            try:
                grasps = self._synthesize(each, instruction, count, seed)
            except Refused as refused:
                refusals.append(refused)
                continue
            if grasps:
                found.append(Synthesis(grasps, each))
        if not found:
            raise refusals[0] if refusals else Refused(Reason.NO_GRASP, f"no grasp was found for '{instruction}'")
        best = max(found, key=lambda synthesis: synthesis.grasps[0].score)
        for grasp in best.grasps:
            ensure_finite(grasp)
        return best

    def plan(self, synthesis: Synthesis, tell: Tell = lambda *_: None) -> list[GraspGoals]:
        """What the robot hand does for each grasp, in the same frame. Raises Refused(KEYPOINTS, NOT_FINITE, LIMIT)."""
        from hoi_ros.retargeting.plan_goals import grasp_goals
        from hoi_ros.scene import nearby

        assert self.planner is not None, "built without a synthesizer"
        grasps, upright = synthesis.grasps, synthesis.upright
        surface = nearby.surface(upright)
        keypoints = np.array([grasp.hand.keypoints for grasp in grasps]) @ upright.turn.T
        goals: list[GraspGoals] = []
        for start in range(0, len(grasps), PLANNED_AT_ONCE):
            tell("planning", 0.5 + 0.5 * start / len(grasps), len(grasps))
            rows = slice(start, start + PLANNED_AT_ONCE)
            plan = self.planner.plan(keypoints[rows], surface, upright.table)
            goals += grasp_goals(plan, upright.turn.T, [grasp.hand for grasp in grasps[rows]])
        for each in goals:
            for goal in (each.pre_grasp, each.grasp, each.squeeze):
                ensure_safe(goal, self.planner.hand.limits)
        return goals

    def warm_up(self) -> None:
        """Run every stage once, so that the first input is as quick as the next. Leaves no trace."""
        if self.estimator is not None:
            black = np.zeros((480, 640, 3), np.uint8)
            self.estimator.estimate(CameraFrame(black, DUMMY_CAMERA, np.ones((480, 640), np.float32)))
        if self.retargeter is not None:
            self.retargeter.retarget(flat_hand(robot_side(self.parameters)))
        if self.refiner is not None:
            hand, cloud = flat_hand(robot_side(self.parameters)), _bottle()
            self.refiner.refine_all([hand], replace(cloud, points=cloud.points + hand.transl), "", 0)
        if self.synthesizer is not None:
            with suppress(Refused):  # the time is what matters, not whether it finds something
                self.synthesize(
                    _bottle(), "Grasp the bottle", self.parameters.grasp_count, up=np.array([0.0, 0.0, 1.0])
                )
        self.reset()

    def reset(self) -> None:
        """Forget all that was followed, as at the start of another recording."""
        self._track = self._nearby = None
        for stage in (self.estimator, self.refiner, self.retargeter, self.synthesizer):
            if stage is not None:
                stage.reset()

    @property
    def device(self) -> str:
        """Where the models run."""
        return str(getattr(self.estimator or self.refiner or self.synthesizer, "device", "cpu"))

    def close(self) -> None:
        """Free the stages' models."""
        self.estimator = self.refiner = self.retargeter = self.synthesizer = self.planner = None
        self._nearby = None

    def _refine(self, hands: Sequence[HandPose], cloud: ObjectCloud | None, instruction: str) -> list[HandPose]:
        up = stated_up(self.parameters, cloud.frame_id) if cloud is not None else None
        return self.refine(hands, cloud, instruction, up)

    def _seen(self, cloud: ObjectCloud, up: Array | None) -> Nearby:
        from hoi_ros.scene.nearby import Nearby, whole  # open3d, which pictures do without
        from hoi_ros.scene.upright import upright

        if self._nearby is None or self._nearby.cloud is not cloud:
            if up is None and not self.parameters.segment_scene:
                objects = [upright(_from_its_camera(cloud), (0.0, 0.0, 1.0)).cloud]
            else:
                objects = [whole(each) for each in self._objects(cloud, up)]
            self._nearby = Nearby(cloud, tuple(objects))
        return self._nearby

    def _objects(self, cloud: ObjectCloud, up: Array | None) -> list[Upright]:
        from hoi_ros.scene.upright import on_table, upright  # open3d, which pictures do without

        cloud = _from_its_camera(cloud)
        if self.parameters.segment_scene:
            return on_table(cloud, up)
        if up is None:
            raise Refused(
                Reason.FRAME,
                f"the cloud is in the camera's frame '{cloud.frame_id}', which does not tell where up is: set "
                "gravity_frame or up, or segment_scene for a table scene",
            )
        return [upright(cloud, up)]

    def _synthesize(self, upright: Upright, instruction: str, count: int, seed: int) -> list[Grasp]:
        """Grasps of one object in the frame it was given in. A left hand grasps as a right one the mirror image."""
        assert self.synthesizer is not None
        cloud = upright.cloud
        left = robot_side(self.parameters) == "left"
        if left:
            normals, viewpoint = (
                None if values is None else mirror_points(values) for values in (cloud.normals, cloud.viewpoint)
            )
            cloud = replace(cloud, points=mirror_points(cloud.points), normals=normals, viewpoint=viewpoint)
        grasps = self.synthesizer.synthesize(cloud, instruction, count, seed)
        found = []
        for grasp in grasps:
            hand = turned_hand(mirror_hand(grasp.hand) if left else grasp.hand, upright.turn.T)
            found.append(replace(grasp, hand=replace(hand, stamp_ns=cloud.stamp_ns, frame_id=cloud.frame_id)))
        return found

    def _choose(self, hands: Sequence[HandPose]) -> HandPose:
        if not hands:
            self._track = None
            raise Refused(Reason.NO_HAND, "no hand to follow")
        side = robot_side(self.parameters)
        candidates = [hand for hand in hands if hand.side == side]
        if not candidates:
            self._track = None
            raise Refused(Reason.SIDE, f"{len(hands)} hand(s), none of them {side} as {self.parameters.robot_hand} is")
        followed = [hand for hand in candidates if hand.track_id == self._track]
        hand = max(followed or candidates, key=lambda h: h.score)
        self._track = hand.track_id
        return hand


def wants_object(refiner: str) -> bool:
    """Whether a refiner of a name, or one of those in turn, does nothing without an object."""
    return "choir" in refiner.split("+")


def robot_side(parameters: Parameters) -> Side:
    """Side of the robot hand."""
    return "left" if parameters.robot_hand.endswith("_left") else "right"


def stated_up(parameters: Parameters, frame_id: str) -> Array | None:
    """Up (3,) in a frame, as the parameters have it, else z; None for an optical one (REP 103), which does not say."""
    if parameters.up:
        return np.array(direction(parameters.up))
    return None if _optical(frame_id) else np.array([0.0, 0.0, 1.0])


def flat_hand(side: Side) -> HandPose:
    """The embedded hand in its zero pose, half a metre before a camera."""
    transl, nothing = np.array([0.0, 0.0, 0.5]), np.zeros(())
    fit = HandFit(np.zeros(3), np.zeros(45), np.zeros(10), transl, np.zeros((21, 3)), nothing, nothing.astype(np.int64))
    return make_hand_pose(load_hand_model(), fit, side=side, score=1.0, intrinsics=DUMMY_CAMERA)


def _from_its_camera(cloud: ObjectCloud) -> ObjectCloud:
    """The cloud with the place that it was seen from, where its frame tells."""
    known = cloud.viewpoint is not None or not _optical(cloud.frame_id)
    return cloud if known else replace(cloud, viewpoint=np.zeros(3))


def _optical(frame_id: str) -> bool:
    return "optical" in frame_id


def _check_request(instruction: str, count: int) -> None:
    if not instruction.strip():
        raise Refused(Reason.INSTRUCTION, "the instruction is empty")
    if len(instruction) > LONGEST:
        raise Refused(
            Reason.INSTRUCTION, f"an instruction of {len(instruction)} characters; at most {LONGEST} are read"
        )
    if not 1 <= count <= MOST_GRASPS:
        raise Refused(Reason.PARAMETER, f"count is {count}; it must be between 1 and {MOST_GRASPS}")


def _bottle() -> ObjectCloud:
    """A cylinder of 6 cm by 16 cm, for a first run."""
    turn, height = np.meshgrid(np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False), np.linspace(0.0, 0.16, 44))
    points = np.stack([0.03 * np.cos(turn), 0.03 * np.sin(turn), height], -1).reshape(-1, 3)
    return ObjectCloud(points)


@contextmanager
def _forgotten_if_refused(stage: Estimator | Retargeter) -> Iterator[None]:
    """Do not start the next result of ``stage`` from one that may not leave."""
    try:
        yield
    except Refused:
        stage.reset()
        raise


def _timed(stage: str, work: Callable[[], T], refusals: dict[str, Refused], timings: dict[str, float]) -> T | None:
    start = time.perf_counter()
    try:
        return work()
    except Refused as refused:
        refusals[stage] = refused
        return None
    finally:
        timings[stage] = time.perf_counter() - start
