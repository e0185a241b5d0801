"""The loop that labels meshes: what it reads and writes, what a person says to it, and that grasps are labelled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from made_labels import Top, Words, engine, post
from torch import Tensor, nn

from hoi_ros.dataset.reader import Dataset
from hoi_ros.hand import load_hand_model
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.learning.weights import save
from hoi_ros.methods.affordgrasp import label_checks, self_training
from hoi_ros.methods.affordgrasp.affordance_generator import AffordanceGenerator
from hoi_ros.methods.affordgrasp.affordance_training import sample_of
from hoi_ros.methods.affordgrasp.grasp_labels import GraspAnnotator
from hoi_ros.methods.affordgrasp.label_checks import CHECKED, Check
from hoi_ros.methods.affordgrasp.self_training import CHECKS, Bound, Job, Loop, self_train
from hoi_ros.methods.affordgrasp.semantic_classifier import CLASSES
from hoi_ros.methods.affordgrasp.targets import EDGE, targets
from hoi_ros.refusals import Reason, Refused
from hoi_ros.replay.files import save_grasps
from hoi_ros.scene.affordances import Affordance
from hoi_ros.types import HandBatch

MODEL = load_hand_model()


@contextmanager
def quiet(what: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Dataset(engine(tmp_path_factory.mktemp("engine")))


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    """A post with a hand on top of it, and a sheet that bounds no solid."""
    folder = tmp_path / "meshes"
    folder.mkdir()
    post().export(folder / "post.obj")
    trimesh.Trimesh([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0, 1, 2]]).export(folder / "sheet.obj")
    hands = on_top()
    keypoints = MODEL.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).keypoints
    save_grasps(folder / "post.grasps.npz", hands, keypoints, [""], np.zeros(1))
    (tmp_path / "categories.json").write_text('{"post": "bottle"}')
    return folder


def on_top() -> HandBatch:
    """A flat hand whose palm looks down, its lowest point half a millimetre over the post."""
    orient = np.array([[np.pi / 2, 0.0, 0.0]])
    flat = HandBatch(orient, np.zeros((1, 45)), np.zeros((1, 10)), np.zeros((1, 3)))
    skin = MODEL.mesh(flat.global_orient, flat.hand_pose, flat.betas, flat.transl).vertices[0]
    palm = skin[np.abs(skin - skin.mean(axis=0))[:, :2].max(axis=1) < 0.03]
    return replace(flat, transl=(np.array([0.0, 0.0, 0.1005]) - [*skin.mean(axis=0)[:2], palm[:, 2].min()])[None])


class Says(nn.Module):
    """A classifier that sees the same in every hand."""

    def __init__(self, kind: Affordance, probability: float) -> None:
        super().__init__()
        rest = (1.0 - probability) / (len(CLASSES) - 1)
        self.logits = torch.tensor([probability if each is kind else rest for each in CLASSES]).log()

    def forward(self, hand: Tensor, obj: Tensor, scale: Tensor) -> Tensor:
        return self.logits.expand(len(hand), -1)


def bound(least: float | None) -> Bound:
    return Bound(least, 0, None, None, None)


def loop(data: Dataset, meshes: Path, rounds: int = 1, classifier: nn.Module | None = None) -> Loop:
    """Of networks that answer by rule, and a filter that was set by hand."""
    found, _ = targets(meshes, meshes.parent / "categories.json")
    annotator = GraspAnnotator(classifier) if classifier else None  # type: ignore[arg-type]
    made = Loop(data, found, AffordanceGenerator(384, 16, (32, 16, 8), 4), annotator, Job(rounds, 2, 0.9, 0), quiet)
    made._annotator = self_training.Annotator(Top(), Words())  # type: ignore[arg-type]
    made._bounds = lambda: {"told": bound(0.8), "grasps": bound(0.9)}  # type: ignore[method-assign,arg-type,return-value]
    return made


def test_meshes_are_read_with_what_is_told_of_them(meshes: Path) -> None:
    (target,), unusable = targets(meshes, meshes.parent / "categories.json")
    assert unusable.keys() == {"sheet"} and "watertight" in unusable["sheet"]
    obj = target.obj
    assert (obj.name, obj.category, target.stated) == ("post", "bottle", ())
    assert target.grasps is not None and len(target.grasps) == 1
    mesh = trimesh.Trimesh(obj.vertices, obj.faces, process=False)
    assert mesh.is_watertight and mesh.volume == pytest.approx(post().volume)
    assert mesh.edges_unique_length.max() <= 2.0 * EDGE
    assert targets(meshes, None)[0][0].obj.category == "object"


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ('{"pots": "bottle"}', "names 'pots'"),
        ("[]", "tells no categories"),
        ('{"post": {"uses": []}}', "category"),
        ('{"post": {"category": "bottle", "uses": [["Wring", "neck"]]}}', "Wring"),
        ('{"post"', "tells no categories"),
    ],
)
def test_what_is_told_wrong_is_refused(meshes: Path, told: str, complaint: str) -> None:
    path = meshes / "told.json"
    path.write_text(told)
    with pytest.raises(Refused, match=complaint) as refusal:
        targets(meshes, path)
    assert refusal.value.reason is Reason.FILE


def test_labelled_meshes_become_a_dataset_to_train_on(data: Dataset, meshes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = loop(data, meshes).run(out)
    counts = {"weights": None, "meshes": 1, "labels": 2, "grasps": 0}
    assert summary["rounds"][0] | {"filter": None} == {"filter": None} | counts
    written = Dataset(out)
    written.verify()
    assert written.records.keys() == {*data.records, "post"}
    assert [record.split for record in written.units()].count("train") == 3
    post_again = written.object("post")
    assert {(use.affordance, use.part) for use in post_again.uses} == {
        (Affordance.WRAP_GRASP, "body"),
        (Affordance.TWIST, "cap"),
    }
    assert len(post_again.pieces) >= 1
    sample = sample_of(post_again, TextEncoder(), np.random.default_rng(0), 1)
    share = sample.masks[sample.asked.index("Twist")].mean()
    assert share == pytest.approx(0.2, abs=0.06)  # of the surface lies above 59 mm
    assert (out / CHECKS / "sheet_00.png").stat().st_size > 1000
    with pytest.raises(Refused, match="holds another dataset"):
        loop(Dataset(engine(tmp_path / "other", ("mug",))), meshes).run(out)


def test_verdicts_are_obeyed(data: Dataset, meshes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    loop(data, meshes).run(out)
    table = out / CHECKS / label_checks.TABLE
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line + "reject" * ("Twist" in line) + "accept" * ("Wrap" in line) for line in lines))
    again = loop(data, meshes)
    again._bounds = lambda: {"told": bound(None)}  # type: ignore[method-assign,return-value]  # nothing passes by itself
    summary = again.run(out)
    assert summary["checked"] == {"accept": 1, "reject": 1}
    assert [use.affordance for use in Dataset(out).object("post").uses] == [Affordance.WRAP_GRASP]
    assert [check.verdict for check in label_checks.read(out / CHECKS)] == ["accept", "reject"]
    table.write_text(table.read_text().replace("accept", "reject"))
    assert loop(data, meshes).run(out)["counts"] == {"objects": 6}
    assert "post" not in Dataset(out).records  # it went


def test_training_goes_on_between_rounds(data: Dataset, meshes: Path, tmp_path: Path) -> None:
    rounds = loop(data, meshes, rounds=2)
    torch.manual_seed(0)
    rounds._annotator.model = AffordanceGenerator(384, 16, (32, 16, 8), 4)
    labelled = [replace(one, obj=one.obj) for one in loop(data, meshes)._label(rounds._bounds(), [])]
    before = {name: value.clone() for name, value in rounds._annotator.model.state_dict().items()}
    rounds._train(labelled, tmp_path / "round")
    after = rounds._annotator.model.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert not rounds._annotator.model.training


def test_a_name_of_the_engine_is_refused(data: Dataset, meshes: Path) -> None:
    post().export(meshes / "mug_0008.obj")
    with pytest.raises(Refused, match="'mug_0008' already"):
        loop(data, meshes)


def test_grasps_need_the_classifier_and_the_touch(data: Dataset, meshes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    loop(data, meshes, classifier=Says(Affordance.TWIST, 0.95)).run(out)
    (row,) = Dataset(out).table("grasps").to_pylist()
    assert (row["object"], row["affordance"], row["part"]) == ("post", "Twist", "cap")
    assert row["part_contact"] > 0.9 and row["hand_in_object"] < 0.002
    assert np.isnan(row["displacement"]).all() and row["instructions"]
    np.testing.assert_allclose(row["transl"], on_top().transl[0], atol=1e-6)
    one = loop(data, meshes, classifier=Says(Affordance.WRAP_GRASP, 0.95))
    assert [labelled.grasps for labelled in one._label(one._bounds(), [])] == [()]  # it does not touch the body
    two = loop(data, meshes, classifier=Says(Affordance.TWIST, 0.85))
    assert [labelled.grasps for labelled in two._label(two._bounds(), [])] == [()]  # not sure enough


def test_the_filter_is_set_by_objects_whose_labels_are_known(data: Dataset, meshes: Path) -> None:
    made = loop(data, meshes)
    del made._bounds
    (way,) = made._bounds().items()
    assert way[0] == "told"
    assert way[1].least is None and way[1].labels > 0  # two objects prove nothing
    assert not way[1].passes(1.0)


def checks(count: int) -> list[Check]:
    return [Check(f"mug_{number}", "Lift", "rim, of gold", 0.5) for number in range(count)]


def test_a_hundred_labels_are_asked_about_once(tmp_path: Path) -> None:
    first = label_checks.drawn(checks(300), [], np.random.default_rng(0))
    assert len({check.key for check in first}) == CHECKED
    said = [replace(check, verdict="accept") for check in first[:40]]
    second = label_checks.drawn(checks(300), said, np.random.default_rng(1))
    assert len({check.key for check in second}) == CHECKED and second[:40] == said
    label_checks.write(tmp_path, second, {})
    assert label_checks.read(tmp_path) == second
    assert label_checks.read(tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [("0.500,", "0.500,maybe", "line 2: verdict 'maybe'"), ("0.500", "half", "'half'"), ("verdict", "v", "columns")],
)
def test_a_wrong_table_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    label_checks.write(tmp_path, checks(2), {})
    table = tmp_path / label_checks.TABLE
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(Refused, match=complaint):
        label_checks.read(tmp_path)


def test_weights_from_a_file_label_a_folder(data: Dataset, meshes: Path, tmp_path: Path) -> None:
    (meshes / "post.grasps.npz").unlink()
    network = AffordanceGenerator(384, 16, (32, 16, 8), 4)
    weights = tmp_path / "w.safetensors"
    save(weights, network.state_dict(), network.config)
    told, job = tmp_path / "categories.json", Job(1, 1, 0.9, 0)
    summary = self_train(data, meshes, told, tmp_path / "out", job, weights, None, quiet)
    assert summary["rounds"][0]["labels"] == 0 and summary["counts"] == {"objects": 6}  # nothing is sure
    assert summary["unusable"].keys() == {"sheet"}
    (meshes / "post.obj").unlink()
    with pytest.raises(Refused, match="none of the 1 meshes"):
        self_train(data, meshes, None, tmp_path / "out", job, weights, None, quiet)


def test_the_command_refuses_what_is_no_weights(data: Dataset, meshes: Path, tmp_path: Path) -> None:
    hoi = Path(sys.executable).with_name("hoi")
    told = tmp_path / "categories.json"
    command = [hoi, "data", "label", meshes, "--data", data.folder, "--out", tmp_path / "out", "--weights", told]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "holds no weights" in done.stderr.splitlines()[-1], done.stderr
