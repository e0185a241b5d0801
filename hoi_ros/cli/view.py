"""``hoi view``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hoi_ros.cli.console import Json, finish, progress
from hoi_ros.refusals import Reason, Refused

if TYPE_CHECKING:
    from hoi_ros.view.render import Picture

ENDINGS = (".png", ".jpg", ".jpeg")


def view(
    what: Annotated[
        list[str],
        typer.Argument(help="hands.npz, goals.npz, keypoints.npz, a bag, or the word hand, under each other."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Picture to write, PNG or JPEG.")],
    hand_model: Annotated[str, typer.Option(help="Licensed MANO file; the embedded hand without it.")] = "",
    as_json: Json = False,
) -> None:
    """Draw what a person would rather look at. A hands.npz right after its bag is drawn on the bag's pictures."""
    from hoi_ros.hand import load_hand_model
    from hoi_ros.view import pictures, sheets

    if out.suffix.lower() not in ENDINGS:
        raise Refused(Reason.PARAMETER, f"--out is '{out}'; a picture ends in one of: {', '.join(ENDINGS)}")
    model = load_hand_model(hand_model)
    drawn: list[Picture] = []
    with progress("drawing", len(what)) as advance:
        left = list(what)
        while left:
            name = left.pop(0)
            companion = left.pop(0) if left and _kind(name) == "bag" and _kind(left[0]) == "hands" else ""
            drawn.append(_sheet(name, companion, model))
            advance()
    sheet = sheets.stacked(drawn)
    pictures.save(out, sheet)
    height, width = sheet.shape[:2]
    finish({"picture": str(out), "width": width, "height": height}, as_json, f"{out}: {width}x{height}")


def _kind(name: str) -> str:
    """What a name stands for: hand, bag, hands, goals or keypoints. Raises Refused(FILE)."""
    from hoi_ros.replay import files

    if name == "hand":
        return "hand"
    if not name.endswith(".npz"):
        return "bag"
    keys = files.keys(Path(name))
    kinds = {"pose": "hands", "positions": "goals", "joints": "keypoints"}
    for key, kind in kinds.items():
        if key in keys:
            return kind
    raise Refused(Reason.FILE, f"{name} holds no hands, goals or keypoints; it has: {', '.join(keys)}")


def _sheet(name: str, companion: str, model: Any) -> Picture:
    from hoi_ros.replay import files
    from hoi_ros.replay.bag import Bag
    from hoi_ros.view import sheets

    path, kind = Path(name), _kind(name)
    if kind == "hand":
        return sheets.of_model(model)
    if kind == "hands":
        return sheets.of_hands(files.load_hands(path), model)
    if kind == "goals":
        return sheets.of_goals(files.load_goals(path))
    if kind == "keypoints":
        return sheets.of_keypoints(files.load_keypoints(path))
    with Bag(path) as bag:
        return sheets.of_bag(bag, files.load_hands(Path(companion)) if companion else None, model)
