"""What the words do, measured: apertures by hand, sizes in descriptions, and grasp types by the nearest poses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hoi_ros.hand import Limits, load_hand_model
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.language.encoder import TextEncoder
from hoi_ros.methods.affordance_prior import control
from hoi_ros.methods.affordance_prior.poses import Poses
from hoi_ros.methods.affordance_prior.prior import AffordancePrior, hand_pose
from hoi_ros.types import Array, HandBatch

LIMITS = Limits(load_hand_model().kinematics)


def network() -> AffordancePrior:
    torch.manual_seed(0)
    made = AffordancePrior(32, 48).eval()
    torch.nn.init.normal_(made.after.weight, std=0.3)
    return made


def test_an_aperture_reaches_from_the_thumb_to_between_two_fingers() -> None:
    keypoints = np.zeros((2, 21, 3))
    keypoints[:, 4] = [0.0, 0.0, 0.01]
    keypoints[:, 8], keypoints[:, 12] = [0.03, 0.02, 0.01], [0.03, -0.02, 0.01]
    keypoints[1, 4, 1] = 0.04
    assert control.aperture(keypoints) == pytest.approx([0.03, 0.05])


@pytest.mark.parametrize(
    ("apertures", "spearman"),
    [([10, 20, 30, 40, 50], 1.0), ([50, 40, 30, 20, 10], -1.0), ([10, 30, 20, 40, 50], 1.0 - 6.0 * 2.0 / 120.0)],
)
def test_opening_is_a_correlation_of_ranks(apertures: list[float], spearman: float) -> None:
    found = control._opening(np.array(apertures, dtype=float), np.arange(5))
    assert found["spearman"] == pytest.approx(spearman)
    assert [found[f"{word}_mm"] for word in ("tiny", "small", "medium", "large", "huge")] == apertures


@pytest.mark.parametrize(
    ("description", "changed"),
    [
        ("A mug is gripped by its handle.", "A small mug is gripped by its handle."),
        ("A large round mug is gripped.", "A small round mug is gripped."),
        ("An on-ear pair of headphones is lifted.", "A small on-ear pair of headphones is lifted."),
        ("A big tall can is held, in a medium wrap.", "A small can is held, in a medium wrap."),
        ("A tall bag is held by its long strap.", "A small bag is held by its long strap."),
    ],
)
def test_a_size_takes_the_place_of_others_of_the_object(description: str, changed: str) -> None:
    assert control._sized("small")(description) == changed


def test_an_article_goes_with_its_word() -> None:
    assert control._sized("enormous")("A mug is held.") == "An enormous mug is held."


@pytest.mark.parametrize(
    ("description", "kind", "named"),
    [
        ("A can is held, in a medium wrap, with the palm.", GraspType.MEDIUM_WRAP, True),
        ("A cup is held, in an adducted thumb grasp.", GraspType.ADDUCTED_THUMB, True),
        ("A bag is grasped by its handle, with the palm.", GraspType.ADDUCTED_THUMB, False),
        ("A can is held, in a medium wrap, with the palm.", GraspType.PALMAR, False),
    ],
)
def test_a_grasp_type_is_named_by_its_own_words(description: str, kind: GraspType, named: bool) -> None:
    assert control._names(description, kind) is named


def test_poses_of_nothing_but_the_prior_are_those_of_the_words() -> None:
    encoder, prior = TextEncoder(), network()
    said = ["A small can is clasped.", "A jar is pressed."]
    hands = control.drawn(prior, said, encoder, 0)
    assert len(hands) == 2 and np.isfinite(hands.hand_pose).all()
    assert LIMITS.violation(hands.hand_pose).max() < 1e-9
    np.testing.assert_array_equal(hands.hand_pose, control.drawn(prior, said, encoder, 0).hand_pose)
    assert np.abs(hands.hand_pose - control.drawn(prior, said, encoder, 1).hand_pose).max() > 1e-3
    assert np.abs(hands.hand_pose - control.drawn(prior, said[::-1], encoder, 0).hand_pose).max() > 1e-5


KINDS = {GraspType.MEDIUM_WRAP: "a medium wrap", GraspType.PALMAR_PINCH: "a palmar pinch"}


def poses(each: int, seed: int) -> Poses:
    """Hands of two types that are nothing like each other; every third is said to be held somehow."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat([int(kind) for kind in KINDS], each)
    base = np.repeat([0.2, 0.9], each)[:, None, None]
    names = np.repeat(list(KINDS.values()), each)
    told = [f"A can is held, in {name}." if row % 3 else "A can is held." for row, name in enumerate(names)]
    values = base + rng.normal(0.0, 0.02, (2 * each, 15, 3))
    return Poses(values, tuple((sentence, "") for sentence in told), (("",),) * (2 * each), kinds)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The descriptions for which poses are drawn: wraps where they ask for a wrap of nothing large, else pinches."""
    given: list[str] = []

    def drawn(_network: AffordancePrior, sentences: list[str], _encoder: TextEncoder, _seed: int) -> HandBatch:
        given.extend(sentences)
        wrap = np.array(["wrap" in each and "large" not in each for each in sentences])
        values = np.where(wrap, 0.2, 0.9)[:, None, None] * np.ones((1, 15, 3))
        rest: list[Array] = [np.zeros((len(sentences), size)) for size in (3, 10, 3)]
        return HandBatch(rest[0], hand_pose(LIMITS, values), rest[1], rest[2])

    made = {"train": poses(20, 0), "test": poses(12, 1)}
    monkeypatch.setattr(control, "drawn", drawn)
    monkeypatch.setattr(control.Poses, "of_split", lambda _dataset, split, _seed, _advance: made[split])
    return given


def test_kinds_are_told_by_the_nearest_poses(asked: list[str]) -> None:
    found = control.kinds(network(), None, "test", 0, lambda: None)  # type: ignore[arg-type]
    assert found["true poses"]["of_their_type"] == 1.0
    assert found["as described"] == {"of_their_type": 1.0, "poses": 16}  # of 24 those that name their type
    assert found["small"]["of_their_type"] == 1.0
    assert found["large"]["of_their_type"] == 0.5
    assert all("medium wrap" in each or "palmar pinch" in each for each in asked)
    assert asked[16].startswith("A small can is held") and asked[32].startswith("A large can is held")
