"""The page of one run: pictures a person enjoys, and its figures. Static, one file, nothing fetched."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hoi_ros.hand import load_hand_model
from hoi_ros.metrics.hands import mpjpe, pa_mpjpe, r_mpjpe
from hoi_ros.parameters import Parameters
from hoi_ros.replay.bag import Bag
from hoi_ros.replay.offline import camera_frame
from hoi_ros.replay.results import Results
from hoi_ros.retargeting.shadow_hand import ShadowHand
from hoi_ros.types import Array, CameraFrame, HandPose, Side
from hoi_ros.view import pictures, plots
from hoi_ros.view.page import STYLE, data_uri
from hoi_ros.view.render import Picture, zoomed
from hoi_ros.view.robot import of_robot

MOMENTS = 6  # pictures of the overview
ANIMATED = 36  # at most
LARGE, SMALL = (360, 480), (240, 320)  # H, W of the camera's panel
Advance = Callable[[], None]
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
{style}
.joints, .errors {{ overflow-x: auto; }} .joints img, .errors img {{ min-width: 44rem; }}
</style></head><body><h1>{title}</h1><p>{lead}</p>
{figures}
<h2>Figures</h2><table>{rows}</table>
<details><summary>summary.json</summary><pre>{summary}</pre></details>
</body></html>
"""


def write(
    bag: Bag, parameters: Parameters, results: Results, summary: dict[str, Any], out: Path, advance: Advance
) -> Path:
    """Draw a run's pictures into ``out`` and write ``report.html`` there; ``advance`` is told of each row drawn."""
    drawn: list[tuple[str, str]] = []  # file, caption
    panels = Panels(bag, parameters, results)
    if results.hands:
        frames = [advanced(panels.row(stamp, SMALL, samples=2), advance) for stamp in panels.stamps(ANIMATED)]
        _animate(out / "hands.webp", frames, panels.period_ms(ANIMATED))
        drawn.append(
            ("hands.webp", "The camera's picture with the fitted hand, that hand, and the Shadow Hand that follows.")
        )
        rows = [advanced(panels.row(stamp, LARGE, samples=2), advance) for stamp in panels.stamps(MOMENTS)]
        pictures.save(out / "overview.png", np.vstack(rows))
        drawn.append(("overview.png", "Moments of the recording."))
    if results.goals:
        seconds = _seconds([goal.stamp_ns for goal in results.goals])
        positions = np.stack([goal.positions for goal in results.goals])
        limits = ShadowHand.embedded(_side(parameters)).limits
        plots.joint_angles(out / "joints.png", results.goals[0].names, positions, seconds, limits)
        drawn.append(("joints.png", "Joint goals against the joints' limits."))
    if pairs := [(hand, results.truth[hand.stamp_ns]) for hand in results.hands if hand.stamp_ns in results.truth]:
        predicted, true = (np.stack(points) for points in zip(*((h.keypoints, t) for h, t in pairs), strict=True))
        metrics = {"absolute": mpjpe, "root-relative": r_mpjpe, "after alignment": pa_mpjpe}
        curves = {name: 1e3 * metric(predicted, true) for name, metric in metrics.items()}
        plots.errors(out / "errors.png", _seconds([hand.stamp_ns for hand, _ in pairs]), curves, "mm")
        drawn.append(("errors.png", "Mean distance of the published hand's keypoints from the true ones."))
    page = out / "report.html"
    page.write_text(_page(summary, drawn, out))
    return page


def rows_to_draw(results: Results) -> int:
    """How often `write` will tell of a row."""
    stamps = len({hand.stamp_ns for hand in results.hands})
    return min(ANIMATED, stamps) + min(MOMENTS, stamps)


class Panels:
    """Rows of three pictures: camera, hand, robot."""

    def __init__(self, bag: Bag, parameters: Parameters, results: Results) -> None:
        self._model = load_hand_model(parameters.hand_model_path)
        self._side = _side(parameters)
        self._hands: dict[int, list[HandPose]] = {}
        for hand in results.hands:
            self._hands.setdefault(hand.stamp_ns, []).append(hand)
        self._goals = {goal.stamp_ns: goal for goal in results.goals}
        self._frames: dict[int, CameraFrame] = {}
        wanted = {*self.stamps(ANIMATED), *self.stamps(MOMENTS)}
        for frame in bag.frames():
            if frame.image.stamp_ns in wanted:
                self._frames[frame.image.stamp_ns] = camera_frame(frame, wants_depth=False)

    def stamps(self, count: int) -> list[int]:
        """Stamps of at most ``count`` pictures with hands, evenly over the recording."""
        stamps = sorted(self._hands)
        return [stamps[i] for i in np.unique(np.linspace(0, len(stamps) - 1, count).round().astype(int))]

    def period_ms(self, count: int) -> int:
        """Mean time between `stamps`."""
        stamps = self.stamps(count)
        return round((stamps[-1] - stamps[0]) / 1e6 / max(len(stamps) - 1, 1)) or 1

    def row(self, stamp: int, size: tuple[int, int], samples: int) -> Picture:
        """The picture of ``stamp``: camera with the hands on it, the hand that is followed, the robot hand."""
        frame, hands, goal = self._frames[stamp], self._hands[stamp], self._goals.get(stamp)
        scale = min(size[0] / frame.rgb.shape[0], size[1] / frame.rgb.shape[1])
        followed = next((hand for hand in hands if hand.side == self._side), hands[0])
        square = size[0], size[0]
        small = pictures.fitted(frame.rgb, (round(frame.rgb.shape[0] * scale), round(frame.rgb.shape[1] * scale)))
        camera = pictures.on_camera(small, zoomed(frame.intrinsics, scale), hands, self._model, samples=samples)
        hand = pictures.of_hand(followed.hand_pose, followed.betas, followed.side, self._model, square, samples=samples)
        robot = of_robot(goal.positions, self._side, square, samples=samples) if goal else pictures.paper(square)
        return np.hstack([pictures.fitted(camera, size), hand, robot])


def advanced(row: Picture, advance: Advance) -> Picture:
    """The row, told of."""
    advance()
    return row


def _animate(path: Path, frames: list[Picture], period_ms: int) -> None:
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, duration=period_ms, loop=0, quality=72, method=4)


def _page(summary: dict[str, Any], drawn: list[tuple[str, str]], out: Path) -> str:
    figures = "\n".join(
        f'<figure><div class="{Path(file).stem}"><img src="{_embedded(out / file)}" alt="{html.escape(caption)}"></div>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for file, caption in drawn
    )
    rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in _figures(summary).items())
    title = f"hoi: {Path(summary['bag']['path']).name}"
    lead = f"{summary['pictures']} pictures, played {summary['mode']}: {summary['goals']} joint goals."
    return PAGE.format(
        style=STYLE,
        title=html.escape(title),
        lead=html.escape(lead),
        figures=figures,
        rows=rows,
        summary=html.escape(json.dumps(summary, indent=2)),
    )


def _figures(summary: dict[str, Any]) -> dict[str, str]:
    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "none"

    def milliseconds(values: dict[str, float]) -> str:
        return ", ".join(f"{name} {value:.1f} ms" for name, value in values.items())

    rows = {
        "Hands": listed(summary["hands"]),
        "Refused pictures": listed(summary["refused"]),
        "Dropped for newer ones": listed(summary["dropped"]),
        "Picture to joint goal": milliseconds(summary["picture_to_goal_ms"]),
    }
    if truth := summary.get("ground_truth"):
        names = {
            "mpjpe_mm": "MPJPE, mm",
            "r_mpjpe_mm": "R-MPJPE, mm",
            "pa_mpjpe_mm": "PA-MPJPE, mm",
            "error_2d_px": "2D, px",
        }
        rows["Against ground truth"] = ", ".join(
            f"{name} {truth[key]:.1f}" for key, name in names.items() if truth[key] is not None
        )
    if memory := summary.get("memory_mb"):
        rows["Memory of the nodes"] = f"{memory['start']:.0f} MB at the start, {memory['end']:.0f} MB at the end"
    machine = summary["machine"]
    rows["Hand model"] = summary["hand_model"]
    rows["Machine"] = f"{machine['cores']} cores, Python {machine['python']}, {machine['system']}"
    return rows


def _embedded(path: Path) -> str:
    return data_uri(path.read_bytes(), path.suffix[1:])


def _seconds(stamps: list[int]) -> Array:
    return (np.array(stamps) - stamps[0]) / 1e9


def _side(parameters: Parameters) -> Side:
    return "right" if parameters.robot_hand.endswith("right") else "left"
