"""JointDiffusion: a 3D U-Net that finds a hand's field and its contacts in noise (choir 3.2, fig. 4).

The grid's blocks of 4 x 4 x 2 basis points are folded into channels, so that the U-Net's first level has 4 x 4 x 8
cells, each with its distances to all anchors: an eighth of the paper's work, and a channel always means one anchor. It
predicts what is clean, as a correction of the noisy hand where there is one; ``predicts`` says what else it may.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from hoi_ros.learning.trainer import Network
from hoi_ros.methods.choir.field import ANCHORS, Scheme, fold, hand_field, tensors, unfold

GUIDE = 256
HEADS, GROUPS = 4, 8
CONTACTS = ANCHORS * 9
FIELD_UNIT, CONTACT_UNIT = 0.05, 0.002  # m: of the fields' and of the contacts' deviations
FIELD_MEAN = 0.16  # m
GRID = (4, 4, 8)
LEVELS = 1000.0  # of noise that can be told apart

Predicts = Literal["clean", "noise", "velocity"]


class Residual(nn.Module):
    """Two convolutions, scaled and shifted by the guide, past which the input goes too."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(GROUPS, width_in), nn.GroupNorm(GROUPS, width)])
        self.layers = nn.ModuleList([nn.Conv3d(width_in, width, 3, padding=1), nn.Conv3d(width, width, 3, padding=1)])
        self.guide = nn.Linear(GUIDE, 2 * width)
        self.past = nn.Conv3d(width_in, width, 1) if width_in != width else nn.Identity()

    def forward(self, values: Tensor, guide: Tensor) -> Tensor:
        """(B, C, ...) to (B, ``width``, ...)."""
        scale, shift = self.guide(guide)[:, :, None, None, None].chunk(2, dim=1)
        inner = self.layers[0](functional.silu(self.norms[0](values)))
        inner = self.layers[1](functional.silu(self.norms[1](inner) * (1.0 + scale) + shift))
        out: Tensor = self.past(values) + inner
        return out


class Attention(nn.Module):
    """Self-attention of cells, then cross-attention to what is known."""

    def __init__(self, width: int, context: int | None) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(GROUPS, width), nn.LayerNorm(width)])
        self.own = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.others = (
            nn.MultiheadAttention(width, HEADS, batch_first=True, kdim=context, vdim=context) if context else None
        )

    def forward(self, values: Tensor, context: Tensor | None) -> Tensor:
        """(B, C, ...), and context (B, N, W) if it looks at any."""
        tokens = self.norms[0](values).flatten(2).transpose(1, 2)
        tokens = values.flatten(2).transpose(1, 2) + self.own(tokens, tokens, tokens, need_weights=False)[0]
        if self.others is not None and context is not None:
            tokens = tokens + self.others(self.norms[1](tokens), context, context, need_weights=False)[0]
        return tokens.transpose(1, 2).reshape(values.shape)


class WayDown(nn.Module):
    """The first half of the U-Net: levels of ever fewer cells, with attention below the first, and a bottleneck."""

    def __init__(self, channels: int, widths: Sequence[int], context: int | None) -> None:
        super().__init__()
        self.before = nn.Conv3d(channels, widths[0], 3, padding=1)
        self.place = nn.Parameter(torch.zeros(1, widths[0], *GRID))
        self.levels = nn.ModuleList(Residual(a, b) for a, b in zip([widths[0], *widths], widths, strict=False))
        self.attention = nn.ModuleList(Attention(width, context) for width in widths[1:])
        self.middle = Residual(widths[-1], widths[-1])
        self.looks = Attention(widths[-1], context)

    def forward(self, cells: Tensor, guide: Tensor, context: Tensor | None) -> list[Tensor]:
        """What each level makes of cells (B, C, 4, 4, 8), the bottleneck last."""
        values = self.levels[0](self.before(cells) + self.place, guide)
        made = [values]
        for level, attention in zip(self.levels[1:], self.attention, strict=True):
            values = attention(level(functional.avg_pool3d(values, 2), guide), context)
            made.append(values)
        return [*made, self.looks(self.middle(values, guide), context)]


class ContextEncoder(nn.Module):
    """What is known as tokens: the bottleneck's cells, and all of them pooled by a shallow network (choir 3.2)."""

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.down = WayDown(channels, widths, None)
        cells = math.prod(GRID) // 8 ** (len(widths) - 1)
        self.pool = nn.Sequential(nn.Linear(cells * widths[-1], GUIDE), nn.SiLU(), nn.Linear(GUIDE, GUIDE))
        self.kind = nn.Parameter(torch.zeros(2, GUIDE))  # without and with a noisy hand
        self.level = nn.Sequential(nn.Linear(GUIDE, GUIDE), nn.SiLU(), nn.Linear(GUIDE, GUIDE))

    def forward(self, cells: Tensor, given: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, W), and their pool (B, 256)."""
        told = self.level(waves(LEVELS * level.nan_to_num())) * ~level.isnan()[:, None]
        kind = self.kind[given.long()] + told
        found = self.down(cells, kind, None)[-1]
        pooled: Tensor = self.pool(found.flatten(1)) + kind
        return found.flatten(2).transpose(1, 2), pooled


class ContactDecoder(nn.Module):
    """The contacts' branch: four residual layers over the bottleneck and the noisy contacts (choir fig. 4)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.before = nn.Linear(features + CONTACTS, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(4)
        )
        self.after = nn.Linear(width, CONTACTS)

    def forward(self, bottleneck: Tensor, contacts: Tensor) -> Tensor:
        """(B, 288) of the bottleneck (B, C, ...) and noisy contacts (B, 288)."""
        values = self.before(torch.cat([bottleneck.flatten(1), contacts], dim=1))
        for block in self.blocks:
            values = values + block(values)
        out: Tensor = self.after(values)
        return out


class JointDiffusion(Network):
    """Field and contacts of hands from noise, conditioned on an object and, where there is one, on a noisy hand.

    Fields and contacts are in the network's units: ``normal_field``, and ``CONTACT_UNIT`` m.
    """

    basis: Tensor
    assigned: Tensor

    def __init__(
        self,
        widths: Sequence[int] = (72, 112),
        scheme: Scheme = "blocks",
        predicts: Predicts = "clean",
        contacts: bool = True,
    ) -> None:
        super().__init__()
        self.config = {"widths": list(widths), "scheme": scheme, "predicts": predicts, "contacts": contacts}
        basis, assigned = tensors(scheme)
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("assigned", assigned, persistent=False)
        self.predicts = predicts
        self.time = nn.Sequential(nn.Linear(GUIDE, GUIDE), nn.SiLU(), nn.Linear(GUIDE, GUIDE))
        self.context = ContextEncoder(2 * ANCHORS, widths)
        self.down = WayDown(3 * ANCHORS, widths, widths[-1])
        up = list(widths)[::-1]
        self.up = nn.ModuleList(Residual(a + b, b) for a, b in zip([up[0], *up], up, strict=False))
        last = nn.Conv3d(widths[0], ANCHORS, 3, padding=1)
        self.after = nn.Sequential(nn.GroupNorm(GROUPS, widths[0]), nn.SiLU(), last)
        cells = math.prod(GRID) // 8 ** (len(widths) - 1)
        self.contact = ContactDecoder(cells * widths[-1], GUIDE) if contacts else None
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def known(self, obj: Tensor, noisy: Tensor, given: Tensor, level: Tensor) -> Known:
        """A condition: the object's field (B, 4096), m, and anchors (B, 32, 3), m, of noisy hands ``given`` (B,).

        ``level`` (B,) is how noisy they are, 1 being the benchmark's noise; NaN where nobody knows.
        """
        hand = normal_field(self.field(noisy)) * given[:, None]
        cells = torch.cat([fold(normal_field(obj)), fold(hand)], dim=1)
        return Known(cells, hand, *self.context(cells, given, level))

    def field(self, anchors: Tensor) -> Tensor:
        """Distances (B, 4096), m, to anchors (B, 32, 3)."""
        return hand_field(anchors, self.basis, self.assigned)

    def forward(
        self,
        obj: Tensor,
        noisy: Tensor,
        given: Tensor,
        level: Tensor,
        field: Tensor,
        contacts: Tensor,
        steps: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """``known``, then ``denoise``."""
        return self.denoise(self.known(obj, noisy, given, level), field, contacts, steps)

    def denoise(self, known: Known, field: Tensor, contacts: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        """What ``predicts`` says of noisy fields (B * K, 4096) and contacts (B * K, 288) at steps (B * K,)."""
        known = known.repeat(len(field) // len(known.hand))
        guide = self.time(waves(steps)) + known.pooled
        *levels, values = self.down(torch.cat([fold(field), known.cells], dim=1), guide, known.tokens)
        found = self.contact(values, contacts) if self.contact is not None else contacts
        for number, block in enumerate(self.up):
            values = functional.interpolate(values, scale_factor=2.0) if number else values
            values = block(torch.cat([values, levels.pop()], dim=1), guide)
        out = unfold(self.after(values))
        return (out + known.hand if self.predicts == "clean" else out), found


class Known:
    """A condition, computed once for many steps."""

    def __init__(self, cells: Tensor, hand: Tensor, tokens: Tensor, pooled: Tensor) -> None:
        self.cells, self.hand, self.tokens, self.pooled = cells, hand, tokens, pooled

    def repeat(self, times: int) -> Known:
        """Each as often."""
        if times == 1:
            return self
        return Known(*(each.repeat_interleave(times, 0) for each in (self.cells, self.hand, self.tokens, self.pooled)))


def normal_field(distances: Tensor) -> Tensor:
    """Distances (B, 4096), m, in the network's units."""
    return (distances - FIELD_MEAN) / FIELD_UNIT


def field_of(normal: Tensor) -> Tensor:
    """Distances, m, again."""
    return (normal * FIELD_UNIT + FIELD_MEAN).clamp(min=0.0)


def waves(steps: Tensor) -> Tensor:
    """Sines and cosines (B, 256) of steps (B,)."""
    rates = torch.exp(-math.log(1e4) * torch.arange(GUIDE // 2, device=steps.device) / (GUIDE // 2))
    angles = steps[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
