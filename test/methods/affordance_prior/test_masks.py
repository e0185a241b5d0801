"""SAM 2 from a folder: tiny random models of the same classes, and folders that hold none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertModel,
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VideoConfig,
    Sam2VideoModel,
    Sam2VisionConfig,
)

from hoi_ros.methods.affordance_prior.masks import ObjectMasks
from hoi_ros.refusals import Reason, Refused

SIDE = 64
PARTS = {
    "vision_config": Sam2VisionConfig(
        backbone_config=Sam2HieraDetConfig(
            hidden_size=8,
            image_size=[SIDE, SIDE],
            blocks_per_stage=[1, 1, 1, 1],
            embed_dim_per_stage=[8, 16, 32, 64],
            num_attention_heads_per_stage=[1, 1, 1, 1],
            window_size_per_stage=[4, 4, 4, 4],
            window_positional_embedding_background_size=[2, 2],
        ),
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=32,
    ),
    "prompt_encoder_config": Sam2PromptEncoderConfig(hidden_size=32, image_size=SIDE),
    "mask_decoder_config": Sam2MaskDecoderConfig(hidden_size=32, mlp_dim=32, num_attention_heads=2),
}
VIDEO = {
    "image_size": SIDE,
    "memory_attention_hidden_size": 32,
    "memory_attention_feed_forward_hidden_size": 32,
    "memory_encoder_hidden_size": 32,
    "memory_encoder_output_channels": 8,
    "mask_downsampler_embed_dim": 32,
    "memory_fuser_embed_dim": 32,
    "memory_fuser_intermediate_dim": 32,
}
PICTURE = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
BOX = np.array([10.0, 8.0, 40.0, 30.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam2")
    torch.manual_seed(0)
    Sam2Model(Sam2Config(**PARTS)).save_pretrained(path)
    return path


def test_a_mask_has_the_pictures_size_and_depends_on_the_box(folder: Path) -> None:
    masks = ObjectMasks(folder)
    found = masks.mask(PICTURE, BOX)
    assert found.shape == (48, 80) and found.dtype == bool
    assert np.array_equal(found, masks.mask(PICTURE, BOX))
    assert not np.array_equal(found, masks.mask(PICTURE, np.array([50.0, 5.0, 70.0, 45.0])))


def ramps(height: int, width: int) -> NDArray[np.uint8]:
    """Red grows to the right, green downwards: the same in every size."""
    green, red = np.mgrid[:height, :width] + 0.5
    return np.stack([255 * red / width, 255 * green / height, np.full_like(red, 90.0)], axis=-1).astype(np.uint8)


def test_the_size_of_a_picture_does_not_matter(folder: Path) -> None:
    masks = ObjectMasks(folder)
    small, large = masks.mask(ramps(48, 80), BOX), masks.mask(ramps(96, 160), 2 * BOX)
    assert 0.1 < small.mean() < 0.9
    assert (large[::2, ::2] == small).mean() > 0.9  # 0.5 with the box of the other size


def test_pictures_and_boxes_as_the_model_wants_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    plain = Sam2Model.forward

    def forward(self: Sam2Model, **inputs: torch.Tensor) -> object:
        seen.update(inputs)
        return plain(self, **inputs)

    monkeypatch.setattr(Sam2Model, "forward", forward)
    grey = np.full((48, 80, 3), 128, dtype=np.uint8)
    ObjectMasks(folder).mask(grey, BOX)
    expected = (128 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])  # ImageNet's
    assert seen["pixel_values"].shape == (1, 3, SIDE, SIDE)
    np.testing.assert_allclose(seen["pixel_values"][0, :, 5, 9].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(seen["input_boxes"][0, 0].numpy(), [8.0, 8 * 64 / 48, 32.0, 40.0], atol=1e-5)


def test_a_model_for_videos_serves_too(tmp_path: Path, folder: Path) -> None:
    torch.manual_seed(0)
    model = Sam2VideoModel(Sam2VideoConfig(**PARTS, **VIDEO))
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    model.save_pretrained(tmp_path)
    assert np.array_equal(ObjectMasks(tmp_path).mask(PICTURE, BOX), ObjectMasks(folder).mask(PICTURE, BOX))


def spoilt(path: Path, folder: Path, how: str) -> Path:
    """A copy of the model with one fault."""
    path.mkdir()
    weights = load_file(folder / "model.safetensors")
    (path / "config.json").write_text((folder / "config.json").read_text())
    if how == "without some weights":
        kept = {name: value for name, value in weights.items() if not name.startswith("mask_decoder.iou")}
        save_file(kept, path / "model.safetensors", metadata={"format": "pt"})
    elif how == "cut short":
        (path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:2000])
    elif how == "pickled":
        torch.save(weights, path / "pytorch_model.bin")
    elif how == "broken settings":
        (path / "config.json").write_text("{")
    elif how == "another model":
        BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)).save_pretrained(
            path
        )
    return path


@pytest.mark.parametrize(
    "how", ["without weights", "without some weights", "cut short", "pickled", "broken settings", "another model"]
)
def test_folders_without_a_whole_model(tmp_path: Path, folder: Path, how: str) -> None:
    path = spoilt(tmp_path / "spoilt", folder, how)
    with pytest.raises(Refused, match=str(path)) as refused:
        ObjectMasks(path)
    assert refused.value.reason == Reason.FILE


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        ObjectMasks(tmp_path / "nothing")
    assert refused.value.reason == Reason.FILE


@pytest.mark.parametrize("box", [[40.0, 8.0, 10.0, 30.0], [10.0, 8.0, 40.0, 8.0], [np.nan, 8.0, 40.0, 30.0]])
def test_boxes_that_are_none(folder: Path, box: list[float]) -> None:
    with pytest.raises(Refused) as refused:
        ObjectMasks(folder).mask(PICTURE, np.array(box))
    assert refused.value.reason == Reason.PARAMETER
