"""Recordings played, scored against ground truth and judged by a scenario's thresholds."""
