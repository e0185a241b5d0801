"""Node ``pose_estimation``: camera pictures in, MANO hands out."""

from __future__ import annotations

import threading
import time
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from hoi_ros.hand import load_hand_model
from hoi_ros.msg import HandPoseArray
from hoi_ros.nodes import conversions, transport
from hoi_ros.nodes.mailbox import StampedBuffer
from hoi_ros.nodes.process import spin
from hoi_ros.nodes.stage_node import ERROR, SENSOR, WARN, Input, StageNode
from hoi_ros.pipeline import Pipeline
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import CameraFrame, HandPose

DEPTHS_KEPT = 4  # the depth of a picture may overtake it, and a picture may wait while the next depths come
MARKER_LIFETIME = 0.5  # s
DISCOVERY = 0.3  # s after the first picture in which a publisher of depth may still turn up
QUIET = 2.0  # s without a picture before the silence is a finding


class PoseEstimation(StageNode):
    """Hands in the pictures of one camera, on ``hands`` and ``markers``.

    A picture in which nothing can be followed is answered twice over: an empty ``hands``, so that nobody acts on the
    hand before, and a Status with the reason.
    """

    stage = "estimator"
    parameter_names = (
        "estimator", "device", "hand_model_path", "max_hands", "min_score", "smoothing", "smoothing_min_cutoff",
        "smoothing_beta", "max_age", "image_transport", "use_depth", "depth_slop", "depth_timeout",
        "camera_info_timeout",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__("pose_estimation")
        self._camera_info: CameraInfo | None = None
        self._camera_known, self._closing = threading.Event(), threading.Event()
        self._depths: StampedBuffer[Image] = StampedBuffer(DEPTHS_KEPT)
        self._image_topic = self._depth_topic = self._camera_info_topic = ""
        self._first_picture_at = self._picture_at = 0.0  # steady time of the first and last picture
        self._camera_info_at = 0.0

    def open_outputs(self) -> None:
        """Publishers, and the hand model that meshes are made of."""
        self._model = load_hand_model(self.parameters.hand_model_path)
        self._model_id = f"{self._model.name} {self._model.digest[:12]}"
        self._hands = self.publisher(HandPoseArray, "hands")
        self._markers = self.publisher(MarkerArray, "markers")

    def open_inputs(self) -> None:
        """Subscribe to the camera. The compressed picture lies beside the raw one, wherever that is remapped to."""
        self._camera_info, self._camera_known, self._closing = None, threading.Event(), threading.Event()
        self._depths = StampedBuffer(DEPTHS_KEPT)
        self._first_picture_at = self._picture_at = self._camera_info_at = 0.0
        if self.parameters.image_transport == "raw":
            kind, topic = Image, "image"
        else:
            kind, topic = CompressedImage, self.resolve_topic_name("image") + "/compressed"
        self._camera_info_topic = self.subscribe(CameraInfo, "camera_info", self._on_camera_info, SENSOR)
        self._depth_topic = self.resolve_topic_name("depth")
        if self.parameters.use_depth != "never":
            self.subscribe(Image, "depth", self._on_depth, SENSOR)
        self._image_topic = self.subscribe(kind, topic, self._on_picture, SENSOR)

    def close_inputs(self) -> None:
        """Let go of a worker that waits for its camera."""
        self._closing.set()
        self._camera_known.set()

    def await_partners(self) -> Refused | None:
        """Wait for camera_info and depth, whose publishers may be discovered later than that of the pictures."""
        while not self._wants_depth() and self._may_find_depth():
            self._closing.wait(0.02)
        deadline = self._first_picture_at + self.parameters.camera_info_timeout
        known = self._camera_known.wait(deadline - time.monotonic())
        return None if known else Refused(Reason.NO_CAMERA_INFO, self._no_camera_info())

    def process(self, pipeline: Pipeline, item: Input) -> None:
        """Publish the hands of one picture."""
        frame = self._frame(item)
        header = item.message.header
        try:
            hands = pipeline.estimate(frame)
            if not hands:
                raise Refused(Reason.NO_HAND, "no hand in the picture")
        except Refused as refused:
            if refused.reason in (Reason.NO_HAND, Reason.HAND_LEFT_PICTURE):
                self._hands.publish(HandPoseArray(header=header))
            raise
        self._hands.publish(conversions.hand_pose_array(hands, header, self._model_id))
        if self._markers.get_subscription_count() > 0:
            self._markers.publish(self._hand_markers(hands, header))

    def problems(self) -> list[tuple[bytes, str]]:
        """Topics that nothing comes from, and what that may be due to."""
        now, found = time.monotonic(), []
        if self._camera_info is None:
            if now - self.activated > self.parameters.camera_info_timeout:
                found.append((WARN, self._no_camera_info()))
        elif conversions.distorted(self._camera_info):
            found.append(
                (WARN, f"{self._camera_info_topic} tells of a distorted lens: the picture has to be a rectified one")
            )
        if now - max(self.activated, self._picture_at) > QUIET:
            found.append(self._silence(now))
        return found

    def facts(self) -> dict[str, str]:
        """The hand model and the resolved topics."""
        if self.pipeline is None:
            return {}
        topics = {"image": self._image_topic, "depth": self._depth_topic, "camera_info": self._camera_info_topic}
        return {"estimator": self.parameters.estimator, "hand model": self._model_id, **topics}

    def _on_picture(self, message: Image | CompressedImage) -> None:
        self._picture_at = time.monotonic()
        self._first_picture_at = self._first_picture_at or self._picture_at
        self.receive(message)

    def _on_depth(self, message: Image) -> None:
        self._depths.put(conversions.stamp_ns(message.header), message)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._camera_info_at = time.monotonic()
        self._camera_info = message
        self._camera_known.set()

    def _frame(self, item: Input) -> CameraFrame:
        message = item.message
        picture = conversions.rgb(message)
        shape = (picture.shape[0], picture.shape[1])
        return CameraFrame(
            rgb=picture,
            intrinsics=conversions.intrinsics(self._camera_info, shape),
            depth=conversions.depth(self._depth_of(item), shape) if self._wants_depth() else None,
            stamp_ns=conversions.stamp_ns(message.header),
            frame_id=message.header.frame_id,
        )

    def _wants_depth(self) -> bool:
        use = self.parameters.use_depth
        return use == "always" or (use == "auto" and self.count_publishers(self._depth_topic) > 0)

    def _may_find_depth(self) -> bool:
        late = time.monotonic() > self._first_picture_at + DISCOVERY
        return self.parameters.use_depth == "auto" and not late and not self._closing.is_set()

    def _depth_of(self, item: Input) -> Image:
        stamp, slop = conversions.stamp_ns(item.message.header), self.parameters.depth_slop
        deadline = item.received + self.parameters.depth_timeout
        found = self._depths.wait_for(stamp, round(slop * conversions.NS), deadline)
        if found is None:
            self.statistics.count("pictures without depth")
            stamps = self._depths.stamps()
            nearest = f"the nearest is {min(abs(s - stamp) for s in stamps) / 1e9:.4f} s off" if stamps else "none came"
            limits = f"depth_slop {slop:g} s, depth_timeout {self.parameters.depth_timeout:g} s"
            raise Refused(
                Reason.DEPTH_MISSING, f"no depth on {self._depth_topic} for this picture: {nearest}; {limits}"
            )
        return found

    def _hand_markers(self, hands: list[HandPose], header: Any) -> MarkerArray:
        array = MarkerArray()
        for hand in hands:
            mesh = self._model.mesh(hand.global_orient, hand.hand_pose, hand.betas, hand.transl, side=hand.side)
            vertices = mesh.vertices.reshape(-1, 3)
            drawn = conversions.hand_markers(hand, vertices, self._model.faces, header, MARKER_LIFETIME)
            array.markers.extend(drawn.markers)
        return array

    def _no_camera_info(self) -> str:
        waited = f"after {self.parameters.camera_info_timeout:g} s"
        return f"no camera_info {waited} on {self._camera_info_topic} ({self._who_publishes(self._camera_info_topic)})"

    def _silence(self, now: float) -> tuple[bytes, str]:
        publishers = self._who_publishes(self._image_topic)
        sentence = f"no picture on {self._image_topic} ({publishers})"
        if not self.count_publishers(self._image_topic):
            return WARN, sentence
        if now - self._camera_info_at < QUIET:
            lost = "camera_info arrives: large messages are lost between the processes"
            return ERROR, f"{sentence}, though {lost}; on both sides {transport.ADVICE}"
        return WARN, sentence

    def _who_publishes(self, topic: str) -> str:
        kinds = sorted({info.topic_type for info in self.get_publishers_info_by_topic(topic)})
        return f"published as {', '.join(kinds)}" if kinds else "nobody publishes it"


def main() -> None:
    """Run the node until it is told to stop."""
    spin(PoseEstimation)
