"""BERT and RoBERTa from a local folder. To import ``transformers`` for that would take seconds and 100 MB."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hoi_ros.refusals import Reason, Refused

KINDS = ("bert", "roberta")
_NAMES = {  # of tensors in the files, and of what they are here
    "embeddings.word_embeddings.weight": "words.weight",
    "embeddings.position_embeddings.weight": "places.weight",
    "embeddings.token_type_embeddings.weight": "segments.weight",
    "embeddings.LayerNorm": "norm",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
_OWN = re.compile(r"(?:encoder\.layer\.(\d+)\.)?(" + "|".join(map(re.escape, _NAMES)) + r")(.*)")
_QUERY = re.compile(r"encoder\.layer\.(\d+)\.attention\.self\.query\.(weight|bias)")


class Bert(nn.Module):
    """Features (N, L, W) of tokens (N, L), of which those of ``mask`` (N, L) are real.

    [Devlin et al., 2019; Liu et al., 2019]
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.width: int = config["hidden_size"]
        self.first = config["pad_token_id"] + 1 if config["model_type"] == "roberta" else 0  # place of the first token
        self.words = nn.Embedding(config["vocab_size"], self.width)
        self.places = nn.Embedding(config["max_position_embeddings"], self.width)
        self.segments = nn.Embedding(config["type_vocab_size"], self.width)
        self.norm = nn.LayerNorm(self.width, config["layer_norm_eps"])
        layer = nn.TransformerEncoderLayer(
            self.width, config["num_attention_heads"], config["intermediate_size"], 0.0,
            config["hidden_act"], config["layer_norm_eps"], batch_first=True,
        )  # fmt: skip
        self.encoder = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)

    @classmethod
    def load(cls, folder: Path) -> Bert:
        """Of a folder as ``transformers`` saves it, in safetensors. Raises Refused(FILE) for one of another kind."""
        try:
            config = json.loads((folder / "config.json").read_text())
            if config["model_type"] not in KINDS:
                known = ", ".join(KINDS)
                raise Refused(Reason.FILE, f"{folder} holds a model of kind '{config['model_type']}'; known: {known}")
            model = cls(config)
            model.load_state_dict(_renamed(load_file(folder / "model.safetensors")), assign=True)
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            raise Refused(Reason.FILE, f"{folder} holds no text encoder: {str(error).splitlines()[0]}") from None
        return model.eval().requires_grad_(False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The last layer's."""
        places = self.places.weight[self.first : self.first + tokens.shape[1]]
        values = self.norm(self.words(tokens) + places + self.segments.weight[0])
        features: Tensor = self.encoder(values, src_key_padding_mask=~mask)
        return features


def _renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a file by the names they have here, without those of heads."""
    found = {}
    for name, tensor in tensors.items():
        if match := _OWN.search(name):
            layer, theirs, rest = match.groups()
            found[f"encoder.layers.{layer}." * (layer is not None) + _NAMES[theirs] + rest] = tensor.float()
        elif match := _QUERY.search(name):
            layer, kind = match.groups()
            three = [tensors[name.replace("query", each)] for each in ("query", "key", "value")]
            found[f"encoder.layers.{layer}.self_attn.in_proj_{kind}"] = torch.cat(three).float()
    return found
