"""A ROS graph of one's own: a domain nobody uses, and the nodes in a process that ends with us."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import hoi_ros.msg
from hoi_ros.parameters import Parameters
from hoi_ros.refusals import Reason, Refused

EXECUTABLES = Path(hoi_ros.msg.__file__).parents[4] / "hoi_ros"  # lib/hoi_ros of the workspace
NAMESPACE = "/hoi_play"
DOMAINS = range(1, 102)  # those whose ports lie below the ephemeral ones
PATIENCE = 10.0  # s the nodes get to end by themselves


def free_domain() -> int:
    """A ROS domain whose ports nobody on this machine has bound."""
    for domain in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
        base = 7400 + 250 * domain
        with ExitStack() as stack:
            try:
                for port in (base, base + 1, base + 10, base + 11):
                    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("", port))
            except OSError:
                continue
            return domain
    raise Refused(Reason.PARAMETER, "every ROS domain from 1 to 101 is in use on this machine")


class Nodes:
    """The ``pipeline`` executable in its own process, under `NAMESPACE`. Use as a context manager."""

    def __init__(
        self, parameters: Parameters, domain: int, folder: Path, overrides: Mapping[str, object], synthesis: bool
    ) -> None:
        self.log = folder / "nodes.log"
        config = folder / "parameters.yaml"
        values = asdict(parameters) | dict(overrides)
        content = {
            "/**": {"ros__parameters": values},
            "/**/grasp_synthesis": {"ros__parameters": {"autostart": synthesis}},
        }
        config.write_text(json.dumps(content, indent=1))  # JSON is YAML
        self._command = [
            str(EXECUTABLES / "pipeline"), "--ros-args", "--params-file", str(config),
            "-r", f"__ns:={NAMESPACE}", "-r", f"/clock:={NAMESPACE}/clock",
            # Two nodes give goals: those of hands and those of grasps must be told apart.
            "-r", "grasp_synthesis:joint_goal:=grasp_joint_goal",
            "-r", "grasp_synthesis:wrist_goal:=grasp_wrist_goal",
        ]  # fmt: skip
        self._environment = os.environ | {"ROS_DOMAIN_ID": str(domain)}

    def __enter__(self) -> Nodes:
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches us alone, and we end the nodes.
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, env=self._environment, start_new_session=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ensure_alive(self) -> None:
        """Raises Refused(INTERNAL) with the last line of the log when the process has ended."""
        if (code := self._process.poll()) is not None:
            lines = self.log.read_text(errors="replace").strip().splitlines() or ["(the log is empty)"]
            raise Refused(Reason.INTERNAL, f"the nodes ended with code {code}: {lines[-1]}; see {self.log}")

    def memory(self) -> float:
        """Resident memory of the process, MB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
