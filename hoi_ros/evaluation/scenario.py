"""Scenarios: what is played, what it is scored against, and what must come out. YAML, checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hoi_ros.evaluation.figures import FIGURES, FRAME_FIGURES
from hoi_ros.parameters import Parameters, nearest
from hoi_ros.refusals import Reason, Refused

VERSION = 1
Mode = Literal["lockstep", "realtime", "offline", "recorded"]
Positive = Annotated[float, Field(gt=0.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Threshold(_Strict):
    """What a figure must at least and at most be. A figure without a value fails."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Threshold:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        return bool((self.min is None or value >= self.min) and (self.max is None or value <= self.max))

    def __str__(self) -> str:
        low, high = self.min, self.max
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        return f"at least {low:g}" if low is not None else f"at most {high:g}"


class TopicNames(_Strict):
    """Topics in the bag; those left out are found by type."""

    image: str = ""
    depth: str = ""
    camera_info: str = ""
    object_cloud: str = ""
    instruction: str = ""


class TruthTopics(_Strict):
    """Topics of what is true; what is left out is not compared, but true hands, which are found by type."""

    hands: Annotated[str, Field(description="PoseArray of 21 keypoints, m, in the camera's frame")] = ""
    hand_poses: Annotated[
        str, Field(description="HandPoseArray: MANO parameters by the nodes' hand model, in the camera's frame")
    ] = ""
    joint_goal: Annotated[str, Field(description="JointTrajectory, with wrist_goal's stamps")] = ""
    wrist_goal: Annotated[str, Field(description="PoseStamped")] = ""
    object: Annotated[
        str, Field(description="ObjectState or PoseStamped: the mesh's frame in the camera's and clouds'")
    ] = ""
    mesh: Annotated[str, Field(description="file of the object's mesh, m, closed; relative to this file")] = ""


class Said(_Strict):
    """A sentence and when it is said."""

    at: Annotated[float, Field(ge=0.0, description="s after the first picture")] = 0.0
    text: Annotated[str, Field(min_length=1)]


class Scenario(_Strict):
    """One evaluation."""

    version: Annotated[Literal[1], Field(description="of this schema")]
    name: Annotated[str, Field(description="the file's name where it is left out")] = ""
    bag: Annotated[str, Field(description="an .mcap or a rosbag2 folder; relative to this file")]
    mode: Mode = "lockstep"
    rate: Annotated[
        Positive | None, Field(description="realtime: pictures a second; as recorded where it is left out")
    ] = None
    outputs: Annotated[
        str,
        Field(
            description="recorded: a recording of what was published, another machine's results.mcap say; the bag "
            "itself where it is left out; relative to this file"
        ),
    ] = ""
    topics: TopicNames = TopicNames()
    truth: TruthTopics = TruthTopics()
    instructions: Annotated[
        tuple[Said, ...], Field(description="about the recording's cloud, in place of its own sentences")
    ] = ()
    parameters: Annotated[dict[str, bool | int | float | str], Field(description="of the nodes, by name")] = {}
    thresholds: Annotated[dict[str, Threshold], Field(description="of the whole recording")] = {}
    frame_thresholds: Annotated[
        dict[str, Threshold], Field(description="of every picture; one that breaks them fails")
    ] = {}
    least_frames: Annotated[int, Field(ge=1, description="fewer pictures are no data, which fails")] = 1

    @model_validator(mode="after")
    def _figures_are_known(self) -> Scenario:
        for asked, known in ((self.thresholds, FIGURES), (self.frame_thresholds, FRAME_FIGURES)):
            for name in asked:
                if name not in known:
                    raise ValueError(f"figure '{name}' is not known{nearest(name, known)}")
        if bool(self.truth.object) != bool(self.truth.mesh):
            raise ValueError("truth.object and truth.mesh belong together")
        if self.rate is not None and self.mode != "realtime":
            raise ValueError(f"rate is for mode realtime, not {self.mode}")
        if self.outputs and self.mode != "recorded":
            raise ValueError(f"outputs is for mode recorded, not {self.mode}")
        return self

    @classmethod
    def load(cls, path: Path, instead: Mapping[str, Any] | None = None) -> Scenario:
        """Read a scenario, with some of its values replaced.

        Raises Refused(FILE), naming each key that is wrong and the nearest right one.
        """
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise Refused(Reason.FILE, f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict):
            raise Refused(Reason.FILE, f"{path} holds no scenario: its top level is no mapping")
        try:
            scenario = cls.model_validate({"name": path.stem} | content | dict(instead or {}))
            scenario.node_parameters()
        except ValidationError as error:
            raise Refused(Reason.FILE, f"{path}: {'; '.join(map(_sentence, error.errors()))}") from None
        except Refused as refused:
            raise Refused(Reason.FILE, f"{path}: {refused.message}") from None
        return scenario

    def node_parameters(self) -> Parameters:
        """Those of the nodes. Raises Refused(PARAMETER)."""
        return Parameters().with_values(self.parameters)


def schema() -> dict[str, Any]:
    """The JSON schema, for editors."""
    return Scenario.model_json_schema()


def _sentence(error: Any) -> str:
    """One fault of the file, with where it is and the nearest key."""
    where = ".".join(map(str, error["loc"]))
    if error["type"] != "extra_forbidden":
        return f"{where or 'scenario'}: {error['msg'].removeprefix('Value error, ')}"
    *parents, key = error["loc"]
    model: Any = Scenario
    for parent in parents:
        model = _inside(model, parent)
    known = model.model_fields if model is not None else ()
    return f"key '{where}' is not known{nearest(str(key), known)}"


def _inside(model: Any, key: Any) -> Any:
    """The model of a field, None where there is none."""
    kinds: dict[Any, type[_Strict]] = {"topics": TopicNames, "truth": TruthTopics, "instructions": Said}
    if key in kinds:
        return kinds[key]
    if key in ("thresholds", "frame_thresholds"):
        return Threshold
    return model if isinstance(key, int) or model in (Said, Threshold) else None
