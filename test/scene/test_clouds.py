"""Point clouds against known answers."""

from __future__ import annotations

import numpy as np
from shapes import box, model

from hoi_ros.scene.clouds import sample_surface
from hoi_ros.scene.distances import SignedDistance


def test_samples_lie_on_the_surface_spread_by_area_with_their_normals_and_parts():
    mesh = box(0.1, 0.06, 0.02)
    corners = mesh[0][mesh[1]]
    top = (corners[..., 2] > 0.009).all(1)
    made = model(mesh, top.astype(np.int32))
    points, normals, parts = sample_surface(made, 10000, np.random.default_rng(0))
    assert np.abs(SignedDistance(*mesh).distance(points)).max() < 1e-7
    on_top = points[:, 2] > 0.01 - 1e-9
    assert abs(on_top.mean() - 0.006 / 0.0184) < 1e-3  # 6 of 18.4 dm2
    assert (parts == on_top).all() and np.allclose(normals[on_top], [0, 0, 1])
    assert abs(points[on_top, 0].mean()) < 1e-3
    again = sample_surface(made, 10000, np.random.default_rng(0))
    assert (again[0] == points).all()
