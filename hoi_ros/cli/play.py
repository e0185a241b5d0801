"""``hoi play``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hoi_ros.cli.console import EstimatorName, Json, Out, RobotHand, Set, finish, note, parameters, progress


def play(
    bag: Annotated[Path, typer.Argument(help="Recording: an .mcap file, or a rosbag2 folder.")],
    out: Out,
    estimator: EstimatorName = "landmarks",
    hand: RobotHand = "shadow_right",
    mode: Annotated[
        str, typer.Option(help="lockstep: each picture waits for its answers. realtime: as recorded, drops counted.")
    ] = "lockstep",
    offline: Annotated[bool, typer.Option("--offline", help="The pipeline alone, without a ROS graph.")] = False,
    loop: Annotated[int, typer.Option(min=0, help="realtime: how often to play it; 0 is for ever.")] = 1,
    duration: Annotated[
        float, typer.Option(min=0.0, help="realtime: stop after so many seconds; 0 is no limit.")
    ] = 0.0,
    rate: Annotated[float, typer.Option(min=0.0, help="realtime: pictures a second; 0 is as recorded.")] = 0.0,
    instruction: Annotated[
        str, typer.Option(help="Said at the first picture about the recording's cloud, in place of its own sentences.")
    ] = "",
    domain: Annotated[
        int | None, typer.Option(min=0, max=232, help="ROS domain to play in; without it one that nobody uses.")
    ] = None,
    image_topic: Annotated[str, typer.Option(help="Topic of the colour pictures; found by type without it.")] = "",
    depth_topic: Annotated[str, typer.Option(help="Topic of the registered depth.")] = "",
    camera_info_topic: Annotated[str, typer.Option(help="Topic of the camera_info.")] = "",
    truth_topic: Annotated[str, typer.Option(help="Topic of true keypoints, a PoseArray of 21.")] = "",
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Play a bag through the nodes on a ROS graph, or through the pipeline alone, and sum up what came out."""
    from hoi_ros.replay.bag import Topics
    from hoi_ros.replay.rescue import opened
    from hoi_ros.replay.run import Schedule, run_nodes, run_offline

    chosen = parameters(assignments, estimator=estimator, robot_hand=hand)
    schedule = Schedule(mode, loop, duration, rate, domain)
    with opened(bag, Topics(image_topic, depth_topic, camera_info_topic, truth_topic)) as (recording, lacking):
        if lacking:
            note(lacking)
        said = recording.asked([(0.0, instruction)] if instruction else ())
        if offline:
            with progress("playing offline", len(recording)) as advance:
                _, summary = run_offline(recording, chosen, out, advance, said)
        else:
            with progress(f"playing in {mode}", schedule.pictures(len(recording))) as advance:
                _, summary = run_nodes(recording, chosen, out, schedule, advance, said)
    finish(summary | {"out": str(out)}, as_json, *summary_lines(summary), f"files: {out}/")


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """A summary for a person."""
    refused = ", ".join(f"{n} {reason}" for reason, n in summary["refused"].items()) or "none"
    sides = ", ".join(f"{n} {side}" for side, n in summary["hands"].items()) or "none"
    lines = [
        f"{summary['pictures']} pictures, {summary['goals']} joint goals; refused: {refused}",
        f"hands: {sides}",
    ]
    if asked := summary.get("sentences"):
        refused = "".join(f"; {n} {reason}" for reason, n in asked["refused"].items())
        lines.append(f"sentences: {asked['said']}, grasps: {asked['grasps']}{refused}")
    if any(summary["dropped"].values()) or summary["unheard"]:
        dropped = ", ".join(f"{n} by {node}" for node, n in summary["dropped"].items())
        lines.append(f"dropped for newer ones: {dropped}; lost on the way: {summary['unheard']}")
    if delay := summary["picture_to_goal_ms"]:
        lines.append(
            f"picture to goal: median {delay['p50']:.1f} ms, p95 {delay['p95']:.1f} ms, p99 {delay['p99']:.1f} ms"
        )
    if (truth := summary.get("ground_truth")) and truth["found"]:
        lines.append(
            f"against ground truth: MPJPE {truth['mpjpe_mm']:.1f} mm, root-relative {truth['r_mpjpe_mm']:.1f} mm, "
            f"PA {truth['pa_mpjpe_mm']:.1f} mm, {truth['error_2d_px']:.1f} px"
        )
    if memory := summary.get("memory_mb"):
        lines.append(f"memory of the nodes: {memory['start']:.0f} -> {memory['end']:.0f} MB")
    return lines
