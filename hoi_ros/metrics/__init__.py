"""Figures of merit, ROS-free, each followed by the key of its definition in ``reference/methods.md``, section 2."""
