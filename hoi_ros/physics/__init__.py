"""Simulated tests of grasps, in MuJoCo."""
