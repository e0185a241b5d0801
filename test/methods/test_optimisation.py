"""Grasp synthesis: known answers of each part, gradients against differences, and properties of whole grasps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from hoi_ros.hand import HandModel, Limits, load_hand_model
from hoi_ros.hand.grasp_types import GraspType
from hoi_ros.methods.optimisation import energies
from hoi_ros.methods.optimisation.fields import REACH, Fields, Lattice
from hoi_ros.methods.optimisation.force_closure import SQUEEZE, ForceClosure
from hoi_ros.methods.optimisation.hand_layer import PATCHES, Flesh, HandLayer, covering_balls
from hoi_ros.methods.optimisation.optimiser import Candidates, GraspOptimiser
from hoi_ros.metrics.penetration import two_way_depth
from hoi_ros.refusals import Reason, Refused
from hoi_ros.scene.affordances import Affordance, Use
from hoi_ros.scene.distances import DistanceGrid, SignedDistance
from hoi_ros.scene.object_model import ObjectModel, Piece

UP = np.array([0.0, 0.0, 1.0])
WRAP = Use(Affordance.WRAP_GRASP, "body", (GraspType.MEDIUM_WRAP, GraspType.LARGE_DIAMETER), axis=UP)


@pytest.fixture(scope="module")
def model() -> HandModel:
    torch.set_num_threads(1)
    return load_hand_model()


@pytest.fixture(scope="module")
def optimiser(model: HandModel) -> GraspOptimiser:
    return GraspOptimiser(model)


@pytest.fixture(scope="module")
def flesh(model: HandModel) -> Flesh:
    return Flesh.of(model)


@pytest.fixture(scope="module")
def wraps(optimiser: GraspOptimiser) -> Candidates:
    return optimiser.synthesize(cylinder(), WRAP, 12, 0, np.zeros(10))


def an_object(mesh: trimesh.Trimesh, top: float = np.inf) -> ObjectModel:
    """A convex object whose faces above ``top`` m are its lid."""
    parts = (mesh.triangles_center[:, 2] > top).astype(np.int32)
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    faces = np.asarray(mesh.faces, dtype=np.int32)
    return ObjectModel("made", "object", vertices, faces, parts, ("body", "lid"), (Piece(vertices, 0),))


def cylinder(radius: float = 0.03, height: float = 0.18, top: float = np.inf) -> ObjectModel:
    mesh = trimesh.creation.cylinder(radius, height, sections=48).subdivide().subdivide()
    mesh.apply_translation([0.0, 0.0, height / 2.0])
    return an_object(mesh, top)


def ball(radius: float = 0.03) -> ObjectModel:
    mesh = trimesh.creation.icosphere(4, radius)
    mesh.apply_translation([0.0, 0.0, radius])
    return an_object(mesh)


def test_balls_cover_what_the_plain_greedy_choice_covers() -> None:
    rng = np.random.default_rng(0)
    centres, points, radii = rng.random((300, 3)), rng.random((200, 3)), rng.uniform(0.05, 0.3, 300)
    covers = np.linalg.norm(centres[:, None] - points, axis=2) <= radii[:, None]
    for most in (5, 300):
        left, expected = np.ones(200, dtype=bool), []
        while len(expected) < most and (covers & left).any():
            expected.append(int((covers & left).sum(axis=1).argmax()))
            left &= ~covers[expected[-1]]
        assert covering_balls(centres, radii, points, most) == expected


class TestHandLayer:
    def test_poses_the_skin_as_the_model_does(self, model: HandModel, flesh: Flesh) -> None:
        rng = np.random.default_rng(0)
        betas, limits = rng.normal(size=10), Limits(model.kinematics)
        poses, turns, wrists = limits.sample(rng, 5), rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
        layer = HandLayer(model, flesh, betas)
        skin, _, _ = layer.pose(
            torch.tensor(limits.to_angles(poses), dtype=torch.float32),
            torch.tensor(Rotation.from_rotvec(turns).as_matrix(), dtype=torch.float32),
            torch.tensor(wrists, dtype=torch.float32),
        )
        expected = model.mesh(turns, poses, betas, wrists - layer.rest[0]).vertices[:, flesh.skin]
        np.testing.assert_allclose(skin.numpy(), expected, atol=2e-6)

    def test_balls_fill_the_flesh_and_stay_in_it(self, model: HandModel, flesh: Flesh) -> None:
        layer = HandLayer(model, flesh, np.zeros(10))
        rest = torch.tensor(layer.rest[:1], dtype=torch.float32)
        _, balls, _ = layer.pose(torch.zeros(1, 26), torch.eye(3)[None], rest)
        centres, radii = balls[0].numpy(), layer.radii.numpy()
        skin = SignedDistance(model.v_template, model.closed_faces)
        assert (radii <= -skin.distance(centres) + 1e-4).all()
        points = np.random.default_rng(1).uniform(model.v_template.min(0), model.v_template.max(0), (20000, 3))
        points = points[skin.distance(points) < -0.003]
        beyond = (np.linalg.norm(points[:, None] - centres, axis=2) - radii).min(axis=1)
        assert np.percentile(beyond, 99.5) < 0.0005
        assert (np.linalg.norm(model.v_template[model.tip_vertices][:, None] - centres, axis=2) - radii).min(
            1
        ).max() < 2e-3

    def test_patches_are_on_their_fingers(self, flesh: Flesh) -> None:
        assert flesh.patches.shape[0] == PATCHES
        assert all(len(np.unique(row)) >= 3 for row in flesh.patches)


class TestForceClosure:
    def residual(self, points: list[list[float]], normals: list[list[float]], weight: float = 1.0) -> float:
        places, directions = torch.tensor([points]).double(), torch.tensor([normals]).double()
        weights = torch.full(places.shape[:2], weight).double()
        return float(ForceClosure(iterations=2000).residual(places, directions, weights, 0.04))

    def test_opposite_sides_hold(self) -> None:
        sides = [[0.03, 0.02, 0.0], [0.03, -0.02, 0.0], [-0.03, 0.0, 0.0]]
        assert self.residual(sides, [[1.0, 0, 0], [1.0, 0, 0], [-1.0, 0, 0]]) < 0.1

    def test_one_side_does_not(self) -> None:
        side = [[0.03, 0.02, 0.0], [0.03, -0.02, 0.0], [0.03, 0.0, 0.02]]
        assert self.residual(side, [[1.0, 0, 0]] * 3) > 2.0

    def test_without_contact_nothing_holds_gravity_or_squeezes(self) -> None:
        expected = np.sqrt(1.0 + SQUEEZE**2)
        assert self.residual([[0.03, 0, 0], [-0.03, 0, 0]], [[1.0, 0, 0], [-1.0, 0, 0]], 0.0) == pytest.approx(
            expected, rel=1e-3
        )

    def test_a_wedge_holds_only_inside_the_friction_cone(self) -> None:
        def wedge(angle: float) -> float:
            normals = [[np.cos(angle), 0, np.sin(angle)], [-np.cos(angle), 0, np.sin(angle)]]
            contacts = [[0.03, y, 0.0] for y in (0.02, -0.02)] + [[-0.03, y, 0.0] for y in (0.02, -0.02)]
            return self.residual(contacts, [normals[0]] * 2 + [normals[1]] * 2)

        assert wedge(np.arctan(0.2)) < 0.3
        assert wedge(np.arctan(0.8)) > 1.0

    def test_gradient_is_that_of_the_optimum(self) -> None:
        """Along random directions, against differences of the solved programme."""
        generator = torch.Generator().manual_seed(0)
        points = 0.03 * torch.randn(12, 3, 3, dtype=torch.float64, generator=generator)
        weights = torch.rand(12, 3, dtype=torch.float64, generator=generator)
        inputs = [points, torch.nn.functional.normalize(points, dim=-1), weights]
        directions = [torch.randn(tensor.shape, dtype=torch.float64, generator=generator) for tensor in inputs]
        directions[0] *= 0.03

        def solved(step: float) -> torch.Tensor:
            moved = [tensor + step * direction for tensor, direction in zip(inputs, directions, strict=True)]
            return ForceClosure(iterations=5000).residual(*moved, 0.04)

        expected = (solved(1e-4) - solved(-1e-4)) / 2e-4
        for tensor in inputs:
            tensor.requires_grad_(True)
        gradients = torch.autograd.grad(solved(0.0).sum(), inputs)
        slopes = sum((g * d).flatten(1).sum(1) for g, d in zip(gradients, directions, strict=True))
        torch.testing.assert_close(slopes, expected.detach(), rtol=0.05, atol=0.05)


class TestFields:
    def test_distance_to_an_open_patch(self) -> None:
        square = np.array([[-0.05, -0.05, 0.0], [0.05, -0.05, 0.0], [0.05, 0.05, 0.0], [-0.05, 0.05, 0.0]])
        lattice = Lattice.build(square, (np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32), 0.0))
        points = torch.tensor([[0.01, 0.02, 0.03], [0.0, 0.0, -0.02], [0.09, 0.0, 0.0]], requires_grad=True)
        distance = lattice.distance(points)
        distance.sum().backward()
        np.testing.assert_allclose(distance.detach().numpy(), [0.03, 0.02, 0.04], atol=2e-4)
        np.testing.assert_allclose(points.grad.numpy(), [[0, 0, 1], [0, 0, -1], [1, 0, 0]], atol=0.08)

    def test_parts_and_table(self) -> None:
        obj = cylinder(top=0.1799)  # the lid is the flat top
        solid = DistanceGrid.build(obj.vertices, obj.faces, margin=REACH)
        fields = Fields.of(obj, Use(Affordance.TWIST, "lid", (GraspType.TRIPOD,)), solid)
        assert fields.part is not None and fields.others is not None
        points = torch.tensor([[0.03, 0.0, 0.05], [0.0, 0.0, 0.2]])
        np.testing.assert_allclose(fields.part.distance(points).numpy(), [0.13, 0.02], atol=0.002)
        beyond = np.array([0.0, np.hypot(0.03, 0.02)])
        np.testing.assert_allclose(fields.others.distance(points).numpy(), beyond - 0.006, atol=0.002)
        assert fields.floor
        assert fields.centre is None  # the bottle does not give way
        free = Fields.of(obj, WRAP, solid)
        assert free.centre is not None
        np.testing.assert_allclose(free.centre.numpy(), [0, 0, 0.09], atol=1e-6)
        friendly = Use(Affordance.TWIST, "lid", (GraspType.TRIPOD,), neighbours=("body",))
        beside = Fields.of(obj, friendly, solid).others
        assert beside is not None  # what may be touched is kept off less
        np.testing.assert_allclose(beside.distance(points).numpy(), beyond - 0.003, atol=0.002)

    def test_the_part_that_asks_for_most_room_counts(self) -> None:
        corners = np.array([[-0.05, -0.05, 0.0], [0.05, -0.05, 0.0], [0.0, 0.05, 0.0]])
        faces = np.array([[0, 1, 2]], dtype=np.int32)
        both = np.concatenate([corners, corners + np.array([0.0, 0.0, 0.04])])
        lattice = Lattice.build(both, (faces, 0.003), (faces + 3, 0.006))
        points = torch.tensor([[0.0, 0.0, 0.008], [0.0, 0.0, 0.032], [0.0, 0.0, -0.01]])
        np.testing.assert_allclose(lattice.distance(points).numpy(), [0.005, 0.002, 0.007], atol=2e-4)


class TestEnergies:
    def test_gradients_agree_with_differences(self, model: HandModel, flesh: Flesh) -> None:
        """Along random directions, for hands about a ball: the mean over hands, as lookups jump between nodes."""
        torch.manual_seed(0)
        obj = ball()
        layer = HandLayer(model, flesh, np.zeros(10))
        fields = Fields.of(
            obj, Use(Affordance.LIFT, "body", (GraspType.TRIPOD,)), DistanceGrid.build(obj.vertices, obj.faces)
        )
        count = 16
        angles = torch.from_numpy(Limits(model.kinematics).lower.astype(np.float32)) * 0.0 + 0.3
        angles = (angles + 0.1 * torch.randn(count, 26)).requires_grad_(True)
        wrist = torch.tensor([0.06, 0.05, 0.03]) + 0.01 * torch.randn(count, 3)
        wish = energies.Wish(
            torch.zeros(count, 26), torch.ones(count, 26), torch.ones(count, 22), torch.zeros(count, 22).long()
        )

        def terms(values: torch.Tensor) -> dict[str, torch.Tensor]:
            skin, balls, forearm = layer.pose(values, torch.eye(3).expand(count, 3, 3), wrist)
            distance, normals = fields.solid.lookup(torch.cat([skin, balls, forearm], dim=1))
            on_skin, in_flesh, on_forearm = distance.split([skin.shape[1], balls.shape[1], forearm.shape[1]], dim=1)
            found = energies.contacts(layer, fields, wish, skin, on_skin, normals[:, : layer.skin_count])
            return {
                "touch": energies.touch(found, wish, 0.001),
                "penetration": energies.penetration(on_skin, in_flesh, layer.radii, 0.001),
                "self": energies.self_penetration(balls, layer),
                "clearance": energies.clearance(fields, skin, forearm, on_forearm, layer.forearm_radii),
                "unnatural": energies.unnatural(values, wish),
            }

        direction = torch.randn(count, 26)
        step = 2e-4
        after, before = terms(angles + step * direction), terms(angles - step * direction)
        for name, term in terms(angles).items():
            (gradient,) = torch.autograd.grad(term.sum(), angles, retain_graph=True)
            slope = (gradient * direction).sum(-1)
            expected = ((after[name] - before[name]) / (2.0 * step)).detach()
            assert float((slope - expected).abs().median()) < 0.05 * float(expected.abs().max()) + 1e-3, name


class TestSynthesis:
    def test_same_seed_same_hands(self, optimiser: GraspOptimiser, wraps: Candidates) -> None:
        again = optimiser.synthesize(cylinder(), WRAP, 12, 0, np.zeros(10))
        for one, other in zip(vars(wraps.hands).values(), vars(again.hands).values(), strict=True):
            np.testing.assert_array_equal(one, other)
        changed = optimiser.synthesize(cylinder(), WRAP, 2, 1, np.zeros(10))
        assert np.abs(changed.hands.transl - wraps.hands.transl[:2]).max() > 0.005

    def test_hands_wrap_the_cylinder(self, model: HandModel, wraps: Candidates) -> None:
        obj, hands = cylinder(), wraps.hands
        vertices = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
        depth = two_way_depth(vertices, model.closed_faces, obj).two_way
        assert np.median(depth) < 0.002 and (depth < 0.003).mean() >= 0.8
        distance = SignedDistance(obj.vertices, obj.faces).distance(vertices)
        tips = distance[:, model.tip_vertices]
        assert np.median(tips) < 0.012
        assert (Limits(model.kinematics).violation(hands.hand_pose) < 1e-5).all()
        assert vertices[..., 2].min() > -0.003
        assert np.median(wraps.terms["hold"]) < 0.3

    def test_persons_keep_their_shape(self, optimiser: GraspOptimiser) -> None:
        betas = np.random.default_rng(0).normal(size=10)
        found = optimiser.synthesize(ball(), Use(Affordance.LIFT, "body", (GraspType.TRIPOD,)), 3, 0, betas)
        np.testing.assert_array_equal(found.hands.betas, np.tile(betas, (3, 1)))
        assert set(found.grasp_type) == {GraspType.TRIPOD}

    def test_a_finger_presses_from_above(self, model: HandModel, optimiser: GraspOptimiser) -> None:
        obj = cylinder(height=0.1, top=0.0999)
        use = Use(
            Affordance.PRESS, "lid", (GraspType.INDEX_FINGER_EXTENSION,), approach=-UP, cone=0.9, force=-UP,
            neighbours=("body",),
        )  # fmt: skip
        found = optimiser.synthesize(obj, use, 6, 0, np.zeros(10))
        hands = found.hands
        vertices = model.mesh(hands.global_orient, hands.hand_pose, hands.betas, hands.transl).vertices
        tip = vertices[:, model.tip_vertices[1]]
        assert (tip[:, 2] > 0.095).mean() >= 0.8
        assert np.median(found.terms["press"]) < 0.2 and "hold" not in found.terms

    def test_unknown_part_is_refused(self, optimiser: GraspOptimiser) -> None:
        with pytest.raises(Refused, match="handle") as refusal:
            optimiser.synthesize(ball(), Use(Affordance.LIFT, "handle", (GraspType.TRIPOD,)), 1, 0, np.zeros(10))
        assert refusal.value.reason is Reason.PARAMETER
