"""A bag through the pipeline alone, picture by picture, without a ROS graph."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from hoi_ros.hand import load_hand_model
from hoi_ros.msg import Status
from hoi_ros.nodes import conversions
from hoi_ros.nodes.serialized import as_bytes, serialized
from hoi_ros.parameters import Parameters
from hoi_ros.pipeline import STAGES, Pipeline, Result, stated_up
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.bag import Asked, Bag, Frame
from hoi_ros.replay.clouds import KnownCloud, ObjectClouds
from hoi_ros.replay.results import Answer, MessageWriter, Results
from hoi_ros.types import CameraFrame, ObjectCloud

NODES = {"estimator": "pose_estimation", "refiner": "refinement", "retargeter": "retargeting"}  # stage -> its node


def play_offline(
    bag: Bag,
    parameters: Parameters,
    writer: MessageWriter,
    results: Results,
    on_frame: Callable[[], None],
    said: Sequence[Asked] = (),
) -> None:
    """Every picture of ``bag`` through the pipeline; refusals are collected as those of the nodes are.

    Raises Refused(FILE) for a bag that cannot be read to its end, and as `Pipeline.build` does.
    """
    model = load_hand_model(parameters.hand_model_path)
    asked = deque(said)
    pipeline = Pipeline.build(parameters, ("refiner", *STAGES, *(["synthesizer"] if asked else [])))
    pipeline.warm_up()
    results.hand_model = f"{model.name} {model.digest[:12]}"
    wants_depth = parameters.use_depth == "always" or (parameters.use_depth == "auto" and bool(bag.topics.depth))
    clouds, known, sentence = ObjectClouds(bag), KnownCloud(parameters.cloud_max_age), ""
    for frame in bag.frames(round(parameters.depth_slop * 1e9)):
        stamp = frame.image.stamp_ns
        while asked and asked[0].time_ns <= frame.time_ns:
            known.hear(asked[0].cloud)
            sentence = asked[0].sentence
            _grasp(pipeline, asked.popleft(), writer, results)
        if pipeline.refiner is not None:
            known.hear(clouds.until(frame.time_ns))
        results.add_picture(frame)
        started = time.perf_counter()
        result = _step(pipeline, frame, wants_depth, partial(known.at, stamp), sentence)
        results.hands += result.hands
        results.refined += result.refined or []
        if result.goal is not None:
            results.goals.append(result.goal)
            results.delays[stamp] = time.perf_counter() - started
        for stage, latency in result.timings.items():
            refused = result.refusals.get(stage)
            reason, message = (refused.reason, refused.message) if refused else (Reason.NONE, "")
            answer = Answer(NODES[stage], stamp, reason, message, latency, 0.0)
            results.answers.append(answer)
            _write_status(answer, stamp, writer)
        header = conversions.header(stamp, frame.image.message.header.frame_id)
        messages = serialized(result, header, results.hand_model, parameters.goal_duration, writer.types)
        for topic, kind, cdr in messages:
            writer.write(topic, kind, stamp, cdr)
        on_frame()
    for each in asked:
        _grasp(pipeline, each, writer, results)
    pipeline.close()


def _grasp(pipeline: Pipeline, asked: Asked, writer: MessageWriter, results: Results) -> None:
    """Grasps for one sentence, as the node makes them."""
    results.asked.append(asked)
    started = time.perf_counter()
    refused = None
    try:
        cloud = conversions.object_cloud(asked.cloud.message)
        up = stated_up(pipeline.parameters, cloud.frame_id)
        synthesis = pipeline.synthesize(cloud, asked.sentence, pipeline.parameters.grasp_count, 0, up)
        goals = pipeline.plan(synthesis)
        results.grasps += synthesis.grasps
        head = conversions.header(asked.cloud.stamp_ns, cloud.frame_id)
        message = conversions.grasp_array(synthesis.grasps, goals, head, asked.sentence, results.hand_model)
        kind, cdr = as_bytes(message, writer.types)
        writer.write("/grasps", kind, asked.time_ns, cdr)
    except Refused as reason:
        refused = reason
    taken = time.perf_counter() - started
    why, message_text = (refused.reason, refused.message) if refused else (Reason.NONE, "")
    reply = Answer("grasp_synthesis", asked.time_ns, why, message_text, taken, 0.0)
    results.replies.append(reply)
    _write_status(reply, asked.time_ns, writer)


def _write_status(answer: Answer, time_ns: int, writer: MessageWriter) -> None:
    """As the node would have published it."""
    message = Status(
        header=conversions.header(answer.stamp_ns, ""),
        node=answer.node,
        outcome=Status.REFUSED if answer.reason else Status.ANSWERED,
        reason=int(answer.reason),
        message=answer.message,
        latency=answer.latency,
    )
    kind, cdr = as_bytes(message, writer.types)
    writer.write("/status", kind, time_ns, cdr)


def camera_frame(frame: Frame, wants_depth: bool) -> CameraFrame:
    """A recorded picture as the stages take it. Raises Refused as the nodes do."""
    if frame.camera_info is None:
        raise Refused(Reason.NO_CAMERA_INFO, "no camera_info was recorded before this picture")
    message = frame.image.message
    rgb = conversions.rgb(message)
    shape = (rgb.shape[0], rgb.shape[1])
    depth = None
    if wants_depth:
        if frame.depth is None:
            raise Refused(Reason.DEPTH_MISSING, "no depth was recorded for this picture")
        depth = conversions.depth(frame.depth.message, shape)
    intrinsics = conversions.intrinsics(frame.camera_info.message, shape)
    return CameraFrame(rgb, intrinsics, depth, frame.image.stamp_ns, message.header.frame_id)


def _step(
    pipeline: Pipeline, frame: Frame, wants_depth: bool, see: Callable[[], ObjectCloud | None], sentence: str
) -> Result:
    started = time.perf_counter()
    try:
        picture = camera_frame(frame, wants_depth)
    except Refused as refused:
        return Result([], None, {"estimator": refused}, {"estimator": time.perf_counter() - started})
    return pipeline.step(picture, see, sentence)
