"""The table of synthesis: hands that hold, hands inside and hands far away, and its way from weights to figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from made_pairs import cloud, cylinder, grips

from hoi_ros.hand import load_hand_model
from hoi_ros.learning import weights
from hoi_ros.learning.method import Asked
from hoi_ros.methods.choir import synthesis_scoring
from hoi_ros.methods.choir.joint_diffusion import JointDiffusion
from hoi_ros.methods.choir.parts import TABLES
from hoi_ros.methods.choir.synthesis_scoring import judge, score
from hoi_ros.methods.optimisation.cloud_fields import CloudSurface
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.object_model import ObjectModel
from hoi_ros.types import HandBatch

MODEL = load_hand_model()


@pytest.fixture(scope="module")
def holding() -> HandBatch:
    return grips()


def far(held: HandBatch) -> HandBatch:
    return HandBatch(held.global_orient, held.hand_pose, held.betas, held.transl + np.array([1.0, 0.0, 0.0]))


def test_hands_that_hold_touch_and_keep_the_object_and_far_ones_do_not(holding: HandBatch) -> None:
    """In 35 steps of 1/240 s something that falls freely falls 10.4 cm; what lies in a hand does not."""
    near, away = judge(MODEL, cylinder(), holding), judge(MODEL, cylinder(), far(holding))
    assert near["contact"].all() and not away["contact"].any()
    assert away["sd_cm"] == pytest.approx(100.0 * 0.5 * 9.81 * (35 / 240) ** 2, rel=0.05)
    assert (near["sd_cm"] < 0.5 * away["sd_cm"]).all()
    assert not away["iv_5mm_cm3"].any() and not away["iv_2mm_cm3"].any()


def test_the_volume_of_a_hand_inside_a_large_box_is_its_own(holding: HandBatch) -> None:
    box = cylinder()
    large = ObjectModel("large", "object", 10.0 * box.vertices, box.faces, box.face_parts, box.part_names, box.pieces)
    one = holding[:1]
    mesh = MODEL.mesh(*vars(one).values()).vertices[0]
    a, b, c = mesh[MODEL.closed_faces].swapaxes(0, 1)
    volume = 1e6 * np.einsum("fk,fk->", a, np.cross(b, c)) / 6.0
    found = judge(MODEL, large, one)
    assert found["iv_2mm_cm3"][0] == pytest.approx(volume, rel=0.02)
    assert found["iv_5mm_cm3"][0] == pytest.approx(volume, rel=0.05)


def things(count: int) -> Iterator[tuple[ObjectModel, CloudSurface]]:
    return ((cylinder(), cloud(200)) for _ in range(count))


def test_means_are_over_all_hands_and_empty_answers_are_counted(holding: HandBatch) -> None:
    """Three that hold, one far away, and nothing."""
    answers = iter([holding[:0], holding, far(holding)[:1]])
    asked: list[tuple[int, int]] = []
    ticks: list[int] = []

    def row(_surface: CloudSurface, count: int, seed: int) -> HandBatch:
        asked.append((count, seed))
        return next(answers)

    table = score(row, things(3), 3, 7, lambda: ticks.append(0))
    assert (table["grasps"], table["objects"], table["without"], len(ticks)) == (4, 3, 1, 3)
    assert table["contact"] == pytest.approx(0.75)
    assert [count for count, _ in asked] == [3] * 3 and len({seed for _, seed in asked}) == 3
    assert table["seconds"] > 0.0
    assert "entropy" not in table and "keypoints" not in table


def test_hands_all_alike_have_no_variety_and_many_places_have(
    holding: HandBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulations aside, which take a tenth of a second each."""
    monkeypatch.setattr(synthesis_scoring, "_displacement", lambda _model, _obj, some: np.zeros(len(some)))

    def spread(width: float) -> dict[str, Any]:
        rng = np.random.default_rng(0)

        def row(_surface: CloudSurface, count: int, _seed: int) -> HandBatch:
            same = holding[np.zeros(count, np.int64)]
            moved = same.transl + np.array([5.0, 0.0, 0.0]) + width * rng.standard_normal((count, 3))
            return HandBatch(same.global_orient, same.hand_pose, same.betas, moved)

        return score(row, things(1), 100, 0, lambda: None)

    alike, apart = spread(0.0), spread(0.5)
    assert alike["entropy"] == pytest.approx(0.0) and alike["cluster_size"] == pytest.approx(0.0)
    assert 2.0 < apart["entropy"] <= np.log(20) and apart["cluster_size"] > 0.5


class OneObject:
    """A dataset of the cylinder alone."""

    def units(self, split: str) -> list[SimpleNamespace]:
        assert split == "test"
        return [SimpleNamespace(name="cylinder")] * 2

    def object(self, name: str) -> ObjectModel:
        return cylinder()


def table(row: str, trained: Path | None = None, split: str = "test") -> dict[str, Any]:
    asked = Asked(row, split, each=2, most=1, seed=0, trained=trained)
    return dict(TABLES["synthesis"](OneObject(), asked, lambda: None))  # type: ignore[arg-type]


def test_a_trained_network_becomes_a_row(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = JointDiffusion(widths=(16, 32))
    weights.save(tmp_path / "synthesis" / "weights.safetensors", network.state_dict(), network.config)
    drawn = table("drawn", tmp_path)["test"]["drawn"]
    assert (drawn["grasps"], drawn["without"]) == (2, 0)
    chosen = table("", tmp_path)["test"]["choir"]
    assert chosen["grasps"] <= 2
    assert chosen.get("contact", 1.0) == 1.0  # those that are chosen touch


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"row": "walk"}, "one of: choir, drawn"), ({"row": "", "split": "held_out"}, "one of: test, unseen, val")],
)
def test_what_is_not_known_is_refused_with_what_is(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        table(**arguments)
    assert refused.value.reason is Reason.PARAMETER


def test_a_folder_without_the_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="hoi train choir --part synthesis") as refused:
        table("choir", tmp_path)
    assert refused.value.reason is Reason.FILE
