"""The recording that ``hoi demo`` plays, rendered from the embedded hand by ``tools/render_demo_bag.py``."""

from pathlib import Path

BAG = Path(__file__).with_name("hand.mcap")
