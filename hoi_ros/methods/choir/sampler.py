"""Fields and contacts from noise, by few steps of DDIM."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hoi_ros.methods.choir.field import CELLS
from hoi_ros.methods.choir.joint_diffusion import CONTACT_UNIT, CONTACTS, JointDiffusion, field_of
from hoi_ros.methods.choir.schedule import schedule


@torch.inference_mode()
def sample(
    network: JointDiffusion,
    obj: Tensor,
    noisy: Tensor,
    given: Tensor,
    level: Tensor,
    steps: int,
    count: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """``count`` fields (B * count, 4096), m, and contacts (B * count, 288), m, for each of B conditions.

    In one step it is the likeliest of what may be, or its mean, as it was trained; in more, one of them. The same seed
    gives the same ones.
    """
    known = network.known(obj, noisy, given, level).repeat(count)
    noise = np.random.default_rng(seed).standard_normal((len(obj) * count, CELLS + CONTACTS), dtype=np.float32)
    values = torch.from_numpy(noise).to(obj.device)
    sampler = schedule(network.predicts)
    sampler.set_timesteps(steps, device=obj.device)
    for time in sampler.timesteps:
        field, contacts = values.split([CELLS, CONTACTS], dim=1)
        found = network.denoise(known, field, contacts, time.expand(len(values)))
        values = sampler.step(torch.cat(found, dim=1), int(time), values).prev_sample
    field, contacts = values.split([CELLS, CONTACTS], dim=1)
    return field_of(field), contacts * CONTACT_UNIT
