"""The text encoder: what MiniLM is known for, any local model, and nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import RobertaConfig, RobertaModel, RobertaTokenizer

from hoi_ros.language.encoder import MOST_TOKENS, TextEncoder
from hoi_ros.refusals import Reason, Refused


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    """The default."""
    return TextEncoder()


def meaning(encoder: TextEncoder, sentence: str) -> torch.Tensor:
    text = encoder.encode([sentence])
    return functional.normalize(text.tokens[0][text.mask[0]].mean(0), dim=0)


def test_paraphrases_are_near_each_other(encoder: TextEncoder) -> None:
    asked, same, other = (
        meaning(encoder, sentence)
        for sentence in ("Grip the handle of the mug.", "Hold the mug by its handle.", "The weather is fine today.")
    )
    assert asked @ same > 0.8
    assert asked @ other < 0.3


def test_a_batch_says_what_its_sentences_say_alone(encoder: TextEncoder) -> None:
    sentences = ["Twist the cap.", "Wrap your whole hand around the body of the tall bottle to carry it."]
    batch = encoder.encode(sentences)
    for row, sentence in enumerate(sentences):
        fresh = TextEncoder().encode([sentence])
        count = int(fresh.mask.sum())
        assert batch.mask[row].sum() == count
        torch.testing.assert_close(batch.tokens[row, :count], fresh.tokens[0], atol=1e-4, rtol=1e-4)


def test_long_sentences_are_cut(encoder: TextEncoder) -> None:
    assert encoder.encode(["mug " * 500]).tokens.shape == (1, MOST_TOKENS, encoder.width)


def test_another_model_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text('{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "a": 5}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    RobertaTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")).save_pretrained(tmp_path)
    config = RobertaConfig(
        vocab_size=6, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    RobertaModel(config).save_pretrained(tmp_path)
    encoder = TextEncoder(tmp_path)
    assert encoder.width == 16
    assert torch.isfinite(encoder.encode(["a", "aa a"]).tokens).all()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no text encoder") as refused:
        TextEncoder(tmp_path)
    assert refused.value.reason is Reason.FILE
