"""Figures of merit, ROS-free. Each name is followed by the key of its definition in ``reference/methods.md``, section 2."""
