"""The program ``hoi``."""

from __future__ import annotations

import json
import signal
import sys

from hoi_ros.refusals import Refused

REFUSED = 2  # exit code; 0 is done, 1 a failed check


def main() -> None:
    """Run the command line. A refused input is one line on stderr; Ctrl-C and SIGTERM clean up."""
    from hoi_ros.cli.app import app

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except Refused as refused:
        reason = refused.reason.name.lower()
        sentence = " ".join(refused.message.split())
        print(f"hoi: refused ({reason}): {sentence}", file=sys.stderr)
        if "--json" in sys.argv:
            print(json.dumps({"refused": {"reason": reason, "message": sentence}}))
        sys.exit(REFUSED)
