"""Descriptions by two large models from local folders, as the paper makes them.

A vision-language model (Qwen2.5-VL) fills in six fields from the picture; a language model (Mistral-7B) makes a
sentence of them. Nothing is downloaded, only safetensors are read, and no code of a folder is run.
(Affordance-guided prior, Figure 2)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hoi_ros.language.descriptions import FIELDS
from hoi_ros.methods.affordance_prior.describer import SIZES, one_line
from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

T = TypeVar("T")

LONGEST_CAPTION = 600  # characters
MOST_CAPTION_TOKENS, MOST_SUMMARY_TOKENS = 160, 60  # newly made ones
MARGIN = 0.25  # of the longer side of both boxes, shown about them
MOST_PIXELS = 768  # of a side: about 700 tokens
LEAST_PIXELS = 28  # of a side: one token
MOST_OBLONG = 100  # sides in proportion; the model takes 200
_UNSAID = ("", "unknown", "none", "n/a")
_SIZES = ", ".join(size.word for size in SIZES)

_QUESTION = f"""Describe the hand-object interaction.{{marks}} Answer in {len(FIELDS)} lines of a few words each, with
"unknown" for what the picture does not show:
category: what the object is
shape: of the object
size: one of {_SIZES}, by how thick the object is where the hand holds it
interaction: what the hand does with it, and at which part
intent: what for
grasp: the type of grasp, and the fingers that touch"""

_TASK = """Write one sentence of at most 25 words that says how the hand holds the object, such as "A large mug is
gripped by its handle to drink from it, in a medium wrap, with the thumb and the index finger." Say only what these
notes say, and answer with the sentence alone. Notes: {notes}"""


class VisionLanguageCaptioner:
    """Qwen2.5-VL from a folder as ``transformers`` saves it: model, tokenizer and image processor.

    Raises Refused(FILE) for a folder that holds no such model.
    """

    def __init__(self, folder: str | Path, device: str = "cpu") -> None:
        from transformers import AutoImageProcessor, AutoModelForImageTextToText

        path = Path(folder)
        kind = "vision-language model"
        self._model = _model(path, kind, AutoModelForImageTextToText, device)
        if self._model.config.model_type != "qwen2_5_vl":
            raise Refused(Reason.FILE, f"{path} holds a model of type {self._model.config.model_type}, not qwen2_5_vl")
        self._tokenizer = _tokenizer(path, kind)
        # Not the whole processor: that wants torchvision for videos, which are not shown here.
        self._images = _loaded(path, kind, lambda: AutoImageProcessor.from_pretrained(path, **_SAFELY))

    def caption(self, picture: NDArray[np.uint8], hand_box: Array, object_box: Array | None) -> str:
        """The six fields, "category: mug; size: small", without those that the model does not know.

        ``picture`` (H, W, 3) RGB; boxes (4,) left, top, right, bottom, px. The model is shown what is about both boxes
        with their outlines. Raises Refused as ``marked`` does.
        """
        shown, marks = marked(picture, hand_box, object_box)
        seen = self._images(images=[shown], return_tensors="pt").to(self._model.device)
        count = int(seen["image_grid_thw"].prod()) // self._images.merge_size**2
        place = self._tokenizer.convert_ids_to_tokens(self._model.config.image_token_id)
        asked = self._tokenizer(
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>"
            f"{place * count}<|vision_end|>{_QUESTION.format(marks=marks)}<|im_end|>\n<|im_start|>assistant\n",
            return_tensors="pt",
        ).to(self._model.device)
        asked["mm_token_type_ids"] = (asked["input_ids"] == self._model.config.image_token_id).int()
        return parsed(_answer(self._model, self._tokenizer, {**asked, **seen}, MOST_CAPTION_TOKENS))


class LanguageModelSummariser:
    """Mistral-7B, or another causal language model, from a folder as ``transformers`` saves it.

    One that is not made for chats is left to complete the text. Raises Refused(FILE) for a folder without such a model.
    """

    def __init__(self, folder: str | Path, device: str = "cpu") -> None:
        from transformers import AutoModelForCausalLM

        path = Path(folder)
        self._model = _model(path, "language model", AutoModelForCausalLM, device)
        self._tokenizer = _tokenizer(path, "language model")

    def summary(self, text: str) -> str:
        """One sentence that says what the caption ``text`` does; "" of none."""
        notes = one_line(text, LONGEST_CAPTION)
        if not notes:
            return ""
        task = " ".join(_TASK.format(notes=notes).split())
        if self._tokenizer.chat_template:
            turn = [{"role": "user", "content": task}]
            task = self._tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
            asked = self._tokenizer(task, add_special_tokens=False, return_tensors="pt")
        else:
            asked = self._tokenizer(f"{task}\nSentence:", return_tensors="pt")
        answer = _answer(self._model, self._tokenizer, asked.to(self._model.device), MOST_SUMMARY_TOKENS)
        return first_sentence(answer)


@dataclass(frozen=True)
class ModelDescriber:
    """Both models as a ``Describer``."""

    captioner: VisionLanguageCaptioner
    summariser: LanguageModelSummariser

    @classmethod
    def of_folders(cls, vision_language: str | Path, language: str | Path, device: str = "cpu") -> ModelDescriber:
        """From the folders of both. Raises Refused(FILE) as they do."""
        return cls(VisionLanguageCaptioner(vision_language, device), LanguageModelSummariser(language, device))

    def caption(self, picture: NDArray[np.uint8], hand_box: Array, object_box: Array | None) -> str:
        """As ``VisionLanguageCaptioner``."""
        return self.captioner.caption(picture, hand_box, object_box)

    def summary(self, text: str) -> str:
        """As ``LanguageModelSummariser``."""
        return self.summariser.summary(text)


def marked(picture: NDArray[np.uint8], hand_box: Array, object_box: Array | None) -> tuple[Image.Image, str]:
    """What is about the boxes, outlined red for the hand and blue for the object, and a sentence that says so.

    At most ``MOST_PIXELS`` wide and high. An object's box that lies outside the picture counts as none. Raises
    Refused: HAND_LEFT_PICTURE for such a hand's box or one that is not finite, PICTURE_SIZE for what is no picture.
    """
    shape = picture.shape
    if len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < LEAST_PIXELS or max(shape) > MOST_OBLONG * min(shape[:2]):
        raise Refused(Reason.PICTURE_SIZE, f"a picture of shape {shape}; (H, W, 3) from {LEAST_PIXELS} px a side")
    hand = _inside(hand_box, shape)
    if hand is None:
        raise Refused(Reason.HAND_LEFT_PICTURE, f"the hand's box {hand_box.tolist()} is outside {shape[1]}x{shape[0]}")
    thing = None if object_box is None else _inside(object_box, shape)
    boxes = np.array([hand] if thing is None else [hand, thing])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    room = MARGIN * (high - low).max()
    size = np.array([shape[1], shape[0]])
    low, high = np.maximum(np.floor(low - room), 0).astype(int), np.minimum(np.ceil(high + room), size).astype(int)
    crop = Image.fromarray(np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]]))
    scale = min(1.0, MOST_PIXELS / max(crop.size))
    crop = crop.resize((max(1, round(crop.width * scale)), max(1, round(crop.height * scale))))
    draw = ImageDraw.Draw(crop)
    for box, colour in zip(boxes, ("red", "blue"), strict=False):
        draw.rectangle(((box - np.tile(low, 2)) * scale).tolist(), outline=colour, width=3)
    said = "The red box is about the hand" + ("." if thing is None else ", the blue box about the object.")
    return crop, f" {said}"


def parsed(answer: str) -> str:
    """The fields that an answer names and knows, in their order; the answer as it is where it names none."""
    found: dict[str, str] = {}
    for line in answer.splitlines():
        name, colon, value = line.partition(":")
        field = name.strip(" \t*-").lower()
        if colon and field in FIELDS:
            found.setdefault(field, one_line(value, LONGEST_CAPTION // len(FIELDS) - 20).strip(" *."))
    if not found:
        return one_line(answer, LONGEST_CAPTION)
    known = [f"{field}: {found[field]}" for field in FIELDS if found.get(field, "").lower() not in _UNSAID]
    return "; ".join(known)


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line, without quotation marks about it."""
    clean = one_line(text).strip("\"'` ")
    ends = [end for mark in (". ", "! ", "? ") if (end := clean.find(mark)) >= 0]
    return clean[: min(ends) + 1] if ends else clean


def _inside(box: Array, shape: tuple[int, ...]) -> Array | None:
    """What of a box (4,) lies in a picture (H, W, 3); None where nothing does."""
    clipped = np.clip(np.asarray(box, dtype=np.float64), 0.0, [shape[1], shape[0]] * 2)
    return clipped if clipped[2] > clipped[0] and clipped[3] > clipped[1] else None


_SAFELY: dict[str, bool] = {"local_files_only": True, "trust_remote_code": False}


def _model(path: Path, kind: str, auto: Any, device: str) -> Any:
    model, told = _loaded(
        path,
        kind,
        lambda: auto.from_pretrained(path, use_safetensors=True, dtype="auto", output_loading_info=True, **_SAFELY),
    )
    if missing := told["missing_keys"]:  # which would be left at random values
        raise Refused(Reason.FILE, f"{path} holds no whole {kind}: {len(missing)} weights are missing, {min(missing)}")
    return model.eval().requires_grad_(False).to(device)


def _tokenizer(path: Path, kind: str) -> Any:
    from transformers import AutoTokenizer

    return _loaded(path, kind, lambda: AutoTokenizer.from_pretrained(path, **_SAFELY))


def _loaded(path: Path, kind: str, load: Callable[[], T]) -> T:
    """What ``load`` finds in a folder. Raises Refused(FILE)."""
    if not path.is_dir():  # else its name would be one of a model on a server
        raise Refused(Reason.FILE, f"{path} is no folder of a {kind}")
    try:
        return load()
    except Exception as error:  # what a foreign folder holds fails in as many ways as there are loaders
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refused(Reason.FILE, f"{path} holds no {kind}: {why}") from None


def _answer(model: Any, tokenizer: Any, inputs: Any, most: int) -> str:
    """What the model goes on to say: its likeliest word each time, so that it says the same of the same."""
    plain = {"do_sample": False, "num_beams": 1, "temperature": None, "top_p": None, "top_k": None}
    with torch.inference_mode():
        out = model.generate(**inputs, max_new_tokens=most, pad_token_id=tokenizer.eos_token_id, **plain)
    said: str = tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return said
