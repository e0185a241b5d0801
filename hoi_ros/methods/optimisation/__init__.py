"""Grasps by optimisation: contact, force closure and clearance, from many starts at once."""
