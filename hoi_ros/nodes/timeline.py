"""Whether the stamp of an input makes sense: against the ROS clock, and against the input before it."""

from __future__ import annotations

from hoi_ros.refusals import Reason, Refused

RESTART = 1_000_000_000  # ns; a stamp that falls back by more is another recording, not a late message


class Timeline:
    """Stamps of one input. After a restart the stage that followed the old stamps has to be reset."""

    def __init__(self, max_age: float) -> None:
        self._max_age = max_age
        self._last: int | None = None
        self._clock_jumped = False

    def clock_jumped(self) -> None:
        """The ROS clock was set back or changed its source: whatever comes next is a restart."""
        self._clock_jumped = True

    def admit(self, stamp: int, now: int) -> bool:
        """Take an input of ``stamp`` at ``now`` (ns on the ROS clock); True when it starts anew.

        Raises Refused(STALE) further than max_age from now, either way, and Refused(STAMP_BACKWARDS) when it is not
        newer than the one before. The one that falls back far enough to be a restart is refused as well, and only
        that one: `restarted` tells them apart.
        """
        check_age(stamp, now, self._max_age, "max_age")
        last, jumped = self._last, self._clock_jumped
        backwards = last is not None and stamp <= last
        restart = jumped or (last is not None and last - stamp > RESTART)
        if restart or not backwards:
            self._last, self._clock_jumped = stamp, False
        if backwards:
            raise StampBackwards(stamp, last or 0, restart)
        return restart


def check_age(stamp: int, now: int, most: float, parameter: str) -> None:
    """Raises Refused(STALE), with what may be wrong, for a stamp (ns) over ``most`` s from ``now`` either way."""
    age = (now - stamp) / 1e9
    if abs(age) <= most:
        return
    if now == 0:
        hint = "use_sim_time is set, but nothing has come on /clock"
    elif stamp == 0:
        hint = "its stamp is zero: the driver has to fill it"
    elif age > 0:
        hint = "if this is a recording, publish /clock and set use_sim_time"
    else:
        hint = "the clocks of the two machines differ, or only one of them uses sim time"
    where = f"{age:.3f} s old" if age > 0 else f"{-age:.3f} s in the future"
    raise Refused(Reason.STALE, f"input is {where} on the ROS clock, {parameter} is {most:g} s; {hint}")


class StampBackwards(Refused):
    """An input that is not newer than the one before it; ``restarted`` when the next ones count from here."""

    def __init__(self, stamp: int, last: int, restarted: bool) -> None:
        then = "; taken as a restart" if restarted else ""
        super().__init__(
            Reason.STAMP_BACKWARDS,
            f"stamp {stamp / 1e9:.6f} is {(last - stamp) / 1e9:.6f} s before that of the last input{then}",
        )
        self.restarted = restarted
