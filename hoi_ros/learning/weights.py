"""Weights on disk: safetensors with their configuration inside, a hash that is checked, and a card beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hoi_ros.refusals import Reason, Refused

SHIPPED = Path(__file__).resolve().parent.parent / "weights"
HASHES = "hashes.json"


def save(path: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
    """Write tensors and the configuration of the network they belong to; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(".part")
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        whole,
        metadata={"config": json.dumps(config)},
    )
    whole.replace(path)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and configuration of a file. Raises Refused(FILE) where it is none of ours."""
    try:
        with safe_open(path, framework="pt") as file:
            config = json.loads((file.metadata() or {})["config"])
            return {name: file.get_tensor(name) for name in file.keys()}, config  # noqa: SIM118  # not a mapping
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise Refused(Reason.FILE, f"{path} holds no weights of this package: {error}") from None


def load_shipped(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and configuration of shipped weights.

    Raises Refused(PARAMETER) with the known names, and Refused(FILE) for a file that is not what was shipped.
    """
    hashes = _hashes()
    if name not in hashes:
        known = ", ".join(sorted(hashes)) or "none"
        raise Refused(Reason.PARAMETER, f"weights '{name}' are not shipped; there are: {known}")
    path = SHIPPED / f"{name}.safetensors"
    if digest(path) != hashes[name]:
        raise Refused(Reason.FILE, f"{path} is not the file that was shipped")
    return load(path)


def ship(name: str, path: Path) -> None:
    """Copy weights to those that are shipped, and note their hash."""
    SHIPPED.mkdir(exist_ok=True)
    (SHIPPED / f"{name}.safetensors").write_bytes(path.read_bytes())
    hashes = _hashes() | {name: digest(path)}
    (SHIPPED / HASHES).write_text(json.dumps(dict(sorted(hashes.items())), indent=1) + "\n")


def _hashes() -> dict[str, str]:
    known = SHIPPED / HASHES
    hashes: dict[str, str] = json.loads(known.read_text()) if known.exists() else {}
    return hashes


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises Refused(FILE) where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise Refused(Reason.FILE, f"{path} cannot be read: {error.strerror}") from None
