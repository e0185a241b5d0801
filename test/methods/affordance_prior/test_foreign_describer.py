"""The two large models' loaders, with tiny models of the same classes, saved as real ones are and never trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from hoi_ros.methods.affordance_prior.foreign_describer import (
    LONGEST_CAPTION,
    MOST_CAPTION_TOKENS,
    LanguageModelSummariser,
    ModelDescriber,
    VisionLanguageCaptioner,
    first_sentence,
    marked,
    parsed,
)
from hoi_ros.refusals import Reason, Refused

SPECIAL = [
    "<unk>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
]
VOCABULARY = {word: i for i, word in enumerate([*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
TEMPLATE = "{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}"
HAND, THING = np.array([20.0, 30.0, 60.0, 70.0]), np.array([50.0, 40.0, 100.0, 80.0])
ANSWER = "Category: mug\n- **shape**: unknown\nsize: large.\nGrasp: tripod"


def tokenizer(template: str | None = None) -> PreTrainedTokenizerFast:
    """Of bytes and the words that mark a picture."""
    words = Tokenizer(models.BPE(vocab=VOCABULARY, merges=[], unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    words.add_special_tokens([AddedToken(word, special=True) for word in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=template
    )


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2.5-VL."""
    folder = tmp_path_factory.mktemp("seeing")
    sizes = {"hidden_size": 32, "intermediate_size": 32}
    config = Qwen2_5_VLConfig(
        text_config={
            **sizes,
            "vocab_size": len(VOCABULARY),
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6},
            "eos_token_id": 3,
        },
        vision_config={**sizes, "depth": 1, "num_heads": 2, "out_hidden_size": 32, "fullatt_block_indexes": [0]},
        image_token_id=VOCABULARY["<|image_pad|>"],
        vision_start_token_id=VOCABULARY["<|vision_start|>"],
        vision_end_token_id=VOCABULARY["<|vision_end|>"],
    )
    torch.manual_seed(0)
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    images = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    return folder


def tiny_mistral(folder: Path, template: str | None) -> Path:
    config = MistralConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        eos_token_id=3,
    )
    torch.manual_seed(0)
    MistralForCausalLM(config).save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Mistral made for chats."""
    return tiny_mistral(tmp_path_factory.mktemp("speaking"), TEMPLATE)


def picture(seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3), dtype=np.uint8)


class Scripted:
    """Stands in for a model's ``generate``: keeps what it was asked, and answers with a text."""

    def __init__(self, answer: str) -> None:
        self.answer, self.asked = tokenizer()(answer, return_tensors="pt")["input_ids"], {}

    def __call__(self, **asked: Any) -> torch.Tensor:
        self.asked = asked
        return torch.cat([asked["input_ids"], self.answer], dim=1)

    @property
    def words(self) -> str:
        return str(tokenizer().decode(self.asked["input_ids"][0]))


def test_both_models_make_one_line_and_the_same_again(seeing: Path, speaking: Path) -> None:
    describer = ModelDescriber.of_folders(seeing, speaking)
    caption = describer.caption(picture(), HAND, THING)
    assert caption and len(caption) <= LONGEST_CAPTION and caption.isprintable()
    assert caption == describer.caption(picture(), HAND, THING)
    summary = describer.summary("category: mug")
    assert summary.isprintable()
    assert summary == ModelDescriber.of_folders(seeing, speaking).summary("category: mug")


def test_the_model_is_asked_for_six_fields_of_the_boxes(seeing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = VisionLanguageCaptioner(seeing)
    script = Scripted(ANSWER)
    monkeypatch.setattr(captioner._model, "generate", script)
    assert captioner.caption(picture(), HAND, THING) == "category: mug; size: large; grasp: tripod"
    for word in ("category", "shape", "size", "interaction", "intent", "grasp", "red box", "blue box", "tiny", "huge"):
        assert word in script.words
    assert script.asked["max_new_tokens"] == MOST_CAPTION_TOKENS
    assert script.asked["do_sample"] is False
    captioner.caption(picture(), HAND, None)
    assert "blue" not in script.words


def test_the_model_sees_the_picture(seeing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One word of the prompt for each of its tokens, and what it would answer depends on it."""
    captioner = VisionLanguageCaptioner(seeing)
    script = Scripted("")
    monkeypatch.setattr(captioner._model, "generate", script)
    likely = []
    for seed in (0, 1):
        captioner.caption(picture(seed), HAND, THING)
        keep = ("input_ids", "attention_mask", "mm_token_type_ids", "pixel_values", "image_grid_thw")
        asked = {key: script.asked[key] for key in keep}
        assert (asked["input_ids"] == VOCABULARY["<|image_pad|>"]).sum() == len(asked["pixel_values"]) / 4
        with torch.inference_mode():
            likely.append(captioner._model(**asked).logits[0, -1])
    assert (likely[0] - likely[1]).abs().max() > 1e-4


@pytest.mark.parametrize("template", [TEMPLATE, None])
def test_the_summary_is_the_first_sentence(
    template: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summariser = LanguageModelSummariser(tiny_mistral(tmp_path, template))
    script = Scripted(' "A mug is held.\nIt is red. Who knows."')
    monkeypatch.setattr(summariser._model, "generate", script)
    assert summariser.summary("category: mug") == "A mug is held."
    assert "category: mug" in script.words
    assert ("[INST]" in script.words) == (template is not None)
    summariser.summary("mug " * 2500)
    assert len(script.words) < LONGEST_CAPTION + 500


def test_no_caption_has_no_summary(speaking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summariser = LanguageModelSummariser(speaking)
    monkeypatch.setattr(summariser._model, "generate", None)  # it is not asked
    assert summariser.summary(" \n") == ""


def test_what_is_about_the_boxes_is_shown_with_outlines() -> None:
    """Both boxes span 20..100 by 30..80, so 20 px more are shown on each side."""
    shown, said = marked(np.full((120, 160, 3), 255, dtype=np.uint8), HAND, THING)
    assert shown.size == (120, 90)
    assert shown.getpixel((20, 20)) == (255, 0, 0)  # the hand's corner at 20, 30
    assert shown.getpixel((100, 70)) == (0, 0, 255)  # the object's at 100, 80
    assert shown.getpixel((110, 80)) == (255, 255, 255)
    assert "red" in said and "blue" in said


def test_large_pictures_are_shown_smaller() -> None:
    shown, _ = marked(np.zeros((2000, 4000, 3), dtype=np.uint8), np.array([0, 0, 4000, 2000]), None)
    assert shown.size == (768, 384)


@pytest.mark.parametrize("box", [None, np.array([200.0, 0, 300, 50]), np.zeros(4), np.full(4, np.nan)])
def test_an_object_that_is_not_in_the_picture_is_not_marked(box: Any) -> None:
    shown, said = marked(np.full((120, 160, 3), 255, dtype=np.uint8), HAND, box)
    assert (0, 0, 255) not in colours(shown)
    assert (255, 0, 0) in colours(shown)
    assert "blue" not in said


@pytest.mark.parametrize("box", [[200.0, 0, 300, 50], [60, 30, 20, 70], [np.nan, 0, 10, 10], [np.inf] * 4])
def test_a_hand_that_is_not_in_the_picture_is_refused(box: list[float]) -> None:
    with pytest.raises(Refused, match="hand's box") as refused:
        marked(picture(), np.array(box), THING)
    assert refused.value.reason is Reason.HAND_LEFT_PICTURE


@pytest.mark.parametrize("shape", [(120, 160), (120, 160, 4), (0, 0, 3), (28, 5000, 3), (10, 10, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(Refused) as refused:
        marked(np.zeros(shape, dtype=np.uint8), np.array([0.0, 0.0, 5.0, 5.0]), None)
    assert refused.value.reason is Reason.PICTURE_SIZE


def test_a_box_of_a_pixel_can_be_captioned(seeing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = VisionLanguageCaptioner(seeing)
    monkeypatch.setattr(captioner._model, "generate", Scripted(ANSWER))
    for box in ([0.0, 0.0, 1.0, 1.0], [0.0, 119.5, 160.0, 120.0]):
        assert captioner.caption(picture(), np.array(box), None).startswith("category: mug")


def test_answers_are_read_by_field() -> None:
    assert parsed(ANSWER) == "category: mug; size: large; grasp: tripod"
    assert parsed("intent: to drink\ncategory: mug\ncategory: cup") == "category: mug; intent: to drink"
    assert parsed("category: unknown\nshape: None") == ""
    assert parsed("A hand\nholds a mug.") == "A hand holds a mug."
    assert len(parsed("\n".join(f"{field}: {'x ' * 999}" for field in ("shape", "size", "grasp")))) <= LONGEST_CAPTION


def test_first_sentences() -> None:
    assert first_sentence('"It is 3.5 cm thick! Really."') == "It is 3.5 cm thick!"
    assert first_sentence("no end") == "no end"


def test_folders_that_hold_none_are_refused(seeing: Path, speaking: Path, tmp_path: Path) -> None:
    for load, folder in (
        (VisionLanguageCaptioner, tmp_path / "missing"),
        (VisionLanguageCaptioner, tmp_path),
        (VisionLanguageCaptioner, speaking),
        (LanguageModelSummariser, tmp_path / "missing"),
        (LanguageModelSummariser, tmp_path),
        (LanguageModelSummariser, seeing),
    ):
        refuses(load, folder)


def test_a_model_without_all_its_weights_is_refused(speaking: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(speaking, tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "model.norm.weight" in refuses(LanguageModelSummariser, folder)
    whole = (speaking / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    refuses(LanguageModelSummariser, folder)


def test_pickled_weights_are_not_read(speaking: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(speaking, tmp_path / "model")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    refuses(LanguageModelSummariser, folder)


def test_code_in_a_folder_is_not_run(speaking: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(speaking, tmp_path / "model")
    trace = tmp_path / "ran"
    (folder / "own.py").write_text(
        f"from pathlib import Path\nPath({str(trace)!r}).touch()\nclass C: pass\nclass M: pass"
    )
    config = json.loads((folder / "config.json").read_text())
    own = {"model_type": "own", "auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config | own))
    refuses(LanguageModelSummariser, folder)
    assert not trace.exists()


def refuses(load: Any, folder: Path) -> str:
    with pytest.raises(Refused, match="model") as refused:
        load(folder)
    assert refused.value.reason is Reason.FILE
    assert str(folder) in refused.value.message
    return refused.value.message


def colours(shown: Image.Image) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.asarray(shown).reshape(-1, 3).tolist()}
