"""Measurements beside peers, each with the definition of what it measures."""
