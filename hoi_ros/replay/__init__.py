"""Recorded bags in, results out: through the pipeline alone, or through the nodes on a ROS graph."""
