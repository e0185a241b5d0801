"""Where an object is seen in a picture: SAM 2 (Ravi et al., 2024), as the paper has it, from a local folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch.nn import functional

from hoi_ros.refusals import Reason, Refused
from hoi_ros.types import Array

if TYPE_CHECKING:
    from transformers import Sam2Config

_KINDS = ("sam2", "sam2_video")  # the published checkpoints are of the second, which holds the first
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
_PARTS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")


class ObjectMasks:
    """A SAM 2 that is not trained further.

    ``folder`` holds a model as ``transformers`` saves it (``Sam2Model`` or ``Sam2VideoModel``) in safetensors; nothing
    is downloaded. Its own processor is not used: that needs torchvision, for what ``_prepared`` does. Raises
    Refused(FILE) for a folder that holds no such model, or not all of its weights.
    """

    def __init__(self, folder: str | Path, device: str = "cpu") -> None:
        from transformers import Sam2Model
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            config = _config(Path(folder))
            loaded: Any = Sam2Model.from_pretrained(
                folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
            model, report = loaded
            if report["missing_keys"]:
                raise ValueError(f"{len(report['missing_keys'])} of its weights are missing")
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise Refused(Reason.FILE, f"{folder} holds no SAM 2: {str(error).splitlines()[0]}") from None
        self._model = model.eval().requires_grad_(False).to(device)
        self._side = int(model.config.prompt_encoder_config.image_size)
        self._mean, self._deviation = (
            torch.tensor(values, device=device)[:, None, None] for values in (_MEAN, _DEVIATION)
        )

    def mask(self, picture: NDArray[np.uint8], box: Array) -> NDArray[np.bool_]:
        """Pixels (H, W) of the thing in a ``box`` (4,) px: left, top, right, bottom; ``picture`` (H, W, 3) RGB.

        Raises Refused(PARAMETER) for a box that is none.
        """
        if not np.isfinite(box).all() or box[0] >= box[2] or box[1] >= box[3]:
            raise Refused(Reason.PARAMETER, f"the box {np.round(box, 1).tolist()} is not left, top, right, bottom")
        height, width = picture.shape[:2]
        scale = self._side / np.array([width, height, width, height])
        with torch.inference_mode():
            prompt = torch.tensor((box * scale)[None, None], dtype=torch.float32, device=self._model.device)
            found = self._model(pixel_values=self._prepared(picture), input_boxes=prompt, multimask_output=False)
            likely = functional.interpolate(found.pred_masks[0], (height, width), mode="bilinear", align_corners=False)
        seen: NDArray[np.bool_] = (likely[0, 0] > 0.0).cpu().numpy()
        return seen

    def _prepared(self, picture: NDArray[np.uint8]) -> torch.Tensor:
        """The picture as the model was trained on them, (1, 3, S, S): made square, and normalised as ImageNet's."""
        values = torch.tensor(picture, device=self._model.device).permute(2, 0, 1)[None].float() / 255.0
        sized = functional.interpolate(
            values, (self._side, self._side), mode="bilinear", align_corners=False, antialias=True
        )
        return (sized - self._mean) / self._deviation


def _config(folder: Path) -> Sam2Config:
    """What a folder's ``config.json`` says of the parts for single pictures. Raises OSError or ValueError."""
    from transformers import Sam2Config

    values = json.loads((folder / "config.json").read_text())
    if values.get("model_type") not in _KINDS:
        raise ValueError(f"its model is of the type '{values.get('model_type')}'")
    return Sam2Config(**{part: values.get(part) for part in _PARTS})
