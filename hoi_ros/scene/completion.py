"""The side of an object that one camera does not see, as the mirror image of what it sees (Bohg et al., 2011).

Things that stand on a table are mostly alike on both sides of some upright plane. Of all such planes that one is taken
whose mirror image agrees best with the view: it covers what is seen, and nothing of it stands where the camera saw
through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hoi_ros.types import Array, ObjectCloud

BEHIND = -0.2  # cosine to the view below which a normal belongs to a side that is not seen
STRAY = 0.03  # share of the normals that may, were it one view
FACING = 0.3  # mean cosine from which a view is one: a blade's two sides face along its edge with none
LEVEL = 0.25  # least level part of the direction to the camera: from above, upright planes say nothing
YAWS = np.radians(np.linspace(-60.0, 60.0, 17))  # of the plane about the vertical, from facing the camera
PLACES = np.linspace(-0.1, 0.7, 16)  # of the plane, as a share of the way through what is seen towards the camera
TRIED = 192  # points, farthest first, whose images choose the plane
AGREE = 0.5  # cosine between normals that cover each other
BLAME = 3.0  # how much a point where the camera saw through counts against one that covers


@dataclass(frozen=True)
class Hidden:
    """What is behind: points (M, 3), m, with normals (M, 3), and the seen points (M,) whose images they are."""

    points: Array
    normals: Array
    source: NDArray[np.intp]


def completed(cloud: ObjectCloud) -> ObjectCloud:
    """A cloud with normals, farthest point first, z up; with the side that it hides where it is a single view."""
    assert cloud.normals is not None
    hidden = hidden_side(cloud.points, cloud.normals)
    if hidden is None:
        return cloud
    points, normals = (
        np.concatenate(both) for both in ((cloud.points, hidden.points), (cloud.normals, hidden.normals))
    )
    return replace(cloud, points=points, normals=normals)


def towards_camera(normals: Array) -> Array | None:
    """Unit direction (3,) from which normals (N, 3) are all seen; None where no direction is: they go all around."""
    way = normals.mean(axis=0)
    for step in 1.0 / np.arange(2, 60):
        way = way / max(float(np.linalg.norm(way)), 1e-9)
        least = np.partition(normals @ way, len(normals) // 20)[: len(normals) // 20 + 1].max()
        way = way + step * normals[normals @ way <= least].mean(axis=0)
    way = way / max(float(np.linalg.norm(way)), 1e-9)
    facing: Array = normals @ way
    return way if (facing < BEHIND).mean() <= STRAY and facing.mean() >= FACING else None


def hidden_side(points: Array, normals: Array) -> Hidden | None:
    """What a view's points (N, 3), m, farthest first, with normals (N, 3), z up, do not show.

    None: they are no single view, or one from so far above that nothing upright is hidden.
    """
    way = towards_camera(normals)
    if way is None or np.linalg.norm(way[:2]) < LEVEL:
        return None
    view = _View.of(points, normals, way)
    yaws = np.arctan2(way[1], way[0]) + YAWS
    across = np.stack([np.cos(yaws), np.sin(yaws), np.zeros(len(yaws))], axis=1)  # (Y, 3) normals of the planes
    low, high = np.percentile(points @ across.T, [1.0, 99.0], axis=0)
    places = low[:, None] + PLACES * (high - low)[:, None]  # (Y, P) m along them
    tried = [
        view.judge(*_image(points[:TRIED], normals[:TRIED], normal, place))[0]
        for normal, row in zip(across, places, strict=True)
        for place in row
    ]
    yaw, place = np.unravel_index(np.argmax(tried), places.shape)
    image, directions = _image(points, normals, across[yaw], places[yaw, place])
    source = np.flatnonzero(view.judge(image, directions)[1])
    return Hidden(image[source], directions[source], source)


def _image(points: Array, normals: Array, across: Array, place: float) -> tuple[Array, Array]:
    """Points and normals (N, 3) in the mirror that stands ``place`` m along its unit normal (3,)."""
    return (
        points - 2.0 * (points @ across - place)[:, None] * across,
        normals - 2.0 * (normals @ across)[:, None] * across,
    )


@dataclass(frozen=True)
class _View:
    points: Array
    normals: Array
    way: Array
    flat: Array  # (3, 2) axes of the picture
    space: cKDTree
    picture: cKDTree
    near: float  # m between the points

    @classmethod
    def of(cls, points: Array, normals: Array, way: Array) -> _View:
        flat = np.linalg.svd(way[None])[2][1:].T
        space = cKDTree(points)
        near = float(np.median(space.query(points, 2)[0][:, 1]))
        return cls(points, normals, way, flat, space, cKDTree(points @ flat), near)

    def judge(self, image: Array, directions: Array) -> tuple[float, NDArray[np.bool_]]:
        """How well an image (N, 3) agrees, and which of it (N,) the camera cannot have seen."""
        aside, of = self.picture.query(image @ self.flat)
        through = (aside > 2.5 * self.near) | (((image - self.points[of]) @ self.way) > 2.5 * self.near)
        distance, of = self.space.query(image)
        covers = (distance < 2.0 * self.near) & (np.einsum("ni,ni->n", directions, self.normals[of]) > AGREE)
        return float(covers.mean() - BLAME * through.mean()), ~through & ~covers
