"""``hoi demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hoi_ros.cli.console import Json, Set, finish, parameters, progress
from hoi_ros.cli.play import summary_lines


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; made when it is not there.")] = Path(
        "out/demo"
    ),
    assignments: Set = None,
    as_json: Json = False,
) -> None:
    """Play the embedded recording through the nodes on a ROS graph and draw what came out; then three sentences.

    Each sentence about one mug becomes a grasp, which a simulated Shadow Hand executes: sentences.png.
    """
    import hoi_ros.demo
    from hoi_ros.demo import sentences
    from hoi_ros.replay.bag import Bag
    from hoi_ros.replay.run import Schedule, run_nodes
    from hoi_ros.view import report

    chosen = parameters(assignments)
    with Bag(hoi_ros.demo.BAG) as recording:
        with progress("playing through the nodes", len(recording)) as advance:
            results, summary = run_nodes(recording, chosen, out, Schedule(), advance)
        with progress("drawing", report.rows_to_draw(results)) as advance:
            page = report.write(recording, chosen, results, summary, out, advance)
    with progress("three sentences", len(sentences.SENTENCES)) as advance:
        asked = sentences.run(out, chosen, advance)
    lines = [f"{each['sentence']} {each['affordance']}: {each['lift']}, {each['raised_cm']} cm" for each in asked]
    shown = out / sentences.PICTURE
    finish(
        summary | {"out": str(out), "report": str(page), "sentences": asked, "sentences_picture": str(shown)},
        as_json,
        *summary_lines(summary),
        *lines,
        f"look at {page} and {shown}",
    )
