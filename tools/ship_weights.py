"""Put trained weights among those the package ships: ``python tools/ship_weights.py NAME OUT/weights.safetensors``.

The card ``hoi_ros/weights/NAME.md`` is written by hand, from the figures of ``hoi score``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hoi_ros.learning.weights import ship

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    ship(sys.argv[1], Path(sys.argv[2]))
