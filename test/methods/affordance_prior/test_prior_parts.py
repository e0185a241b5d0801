"""The tables of the prior: what is asked of them wrongly, and that its rows are those of the weights that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_dataset
import pytest
import torch

from hoi_ros.dataset.reader import Dataset
from hoi_ros.learning import weights
from hoi_ros.learning.method import METHODS, Asked
from hoi_ros.methods.affordance_prior import parts
from hoi_ros.methods.affordance_prior.parts import PARTS, TABLES
from hoi_ros.methods.affordance_prior.prior import AffordancePrior
from hoi_ros.refusals import Reason, Refused


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Two networks that were never trained."""
    for name in PARTS:
        torch.manual_seed(0)
        network = AffordancePrior(32, 48, told=name == "prior")
        weights.save(tmp_path / name / "weights.safetensors", network.state_dict(), network.config)
    return tmp_path


def score(table: str, folder: Path | None, row: str = "", split: str = "test", dataset: Any = None) -> Any:
    return TABLES[table](dataset, Asked(row, split, 1, 1, 0, folder), lambda: None)


def test_the_method_is_known_by_its_parts() -> None:
    assert METHODS["affordance_prior"] == parts.__name__


@pytest.mark.parametrize("table", list(TABLES))
def test_splits_that_cannot_be_scored(table: str, trained: Path) -> None:
    with pytest.raises(Refused, match="'train' is not known; choose one of: test, unseen, val") as refused:
        score(table, trained, split="train")
    assert refused.value.reason is Reason.PARAMETER


@pytest.mark.parametrize("table", ["refinement", "landmarks"])
def test_rows_that_are_not_there(table: str, trained: Path) -> None:
    with pytest.raises(Refused, match=r"'loud' is not known; choose one of: described, .*, unconditional") as refused:
        score(table, trained, row="loud")
    assert refused.value.reason is Reason.PARAMETER


def test_a_twin_that_nobody_trained(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="weights of unconditional are not shipped"):
        score("refinement", None, row="unconditional")
    (trained / "unconditional" / "weights.safetensors").unlink()
    with pytest.raises(Refused, match="train it by 'hoi train affordance_prior --part unconditional"):
        score("refinement", trained, row="unconditional")


def test_tables_have_their_rows(trained: Path, tmp_path: Path) -> None:
    dataset: Dataset = made_dataset.made(tmp_path / "dataset")
    every = score("refinement", trained, dataset=dataset)["test"]
    assert list(every) == [
        "described",
        "silent",
        "wrong",
        "without_contacts",
        "without_instruction",
        "told_all",
        "unconditional",
    ]
    assert {figures["hands"] for figures in every.values()} == {1}
    one = score("refinement", trained, row="silent", dataset=dataset)["test"]
    assert list(one) == ["silent"]
    assert one["silent"]["hidden_after_mm"] == every["silent"]["hidden_after_mm"]


def test_the_twin_hears_nothing(trained: Path) -> None:
    twin = AffordancePrior.load(weights.load(trained / "unconditional" / "weights.safetensors"))
    assert twin.listener is None
