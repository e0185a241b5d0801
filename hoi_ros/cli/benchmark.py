"""``hoi benchmark``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from hoi_ros.cli.console import Json, finish, progress
from hoi_ros.refusals import Reason, Refused

BENCHMARKS = (
    "retargeting",
    "inverse_kinematics",
    "pipeline",
    "pictures",
    "ycb_grasps",
    "dexgraspnet",
    "shadow_lift",
    "ycb_sentences",
    "grasp_speed",
    "refinement",
    "hidden_fingers",
    "hand_model",
    "landmarks",
    "message_conversion",
    "dds",
    "long_recording",
)
"""Modules of ``hoi_ros.benchmarks``, each with ``run(data=...)``."""

DRAWN = ("ycb_sentences", "refinement", "hidden_fingers")  # those that draw too, into a folder: ``run(sheets=...)``
COMPARED = ("comparisons", "skipped", "machine")  # what those with peers give beside other figures


def benchmark(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Among: {', '.join(BENCHMARKS)}. Without a name: all.")
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of the recordings that benchmarks measure on.")] = Path(
        "../shared/data"
    ),
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the result, JSON; pictures come beside it.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="File for a table of ours beside each peer, with ratios, Markdown.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure side by side with peers in one run on this machine, as ratios where there is a peer.

    Ours and the peer take turns on the same input. A ratio is how many times as long the peer takes: the median of the
    rounds, with the quartiles. A peer that is not installed (``make peers``) is left out with a note.
    """
    from hoi_ros.benchmarks import table

    for name in names or ():
        if name not in BENCHMARKS:
            raise Refused(Reason.PARAMETER, f"benchmark '{name}' is not known; choose among: {', '.join(BENCHMARKS)}")
    result: dict[str, Any] = {}
    with progress("measuring", len(names or BENCHMARKS)) as advance:
        for name in names or BENCHMARKS:
            run: Callable[..., dict[str, Any]] = import_module(f"hoi_ros.benchmarks.{name}").run
            beside = {"sheets": str(out.parent)} if out and name in DRAWN else {}
            result[name] = run(data=str(data), **beside)
            advance()
    if out:
        import json

        _write(out, json.dumps(result, indent=2) + "\n")
    if markdown:
        _write(markdown, table.markdown(result))
    others = {
        name: {key: value for key, value in found.items() if key not in COMPARED} for name, found in result.items()
    }
    finish(result, as_json, *_lines(others), *table.sentences(result))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _lines(values: dict[str, Any], path: str = "") -> list[str]:
    lines = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{path}{name}.")
        else:
            lines.append(f"{path}{name}: {value:.4g}" if isinstance(value, float) else f"{path}{name}: {value}")
    return lines
