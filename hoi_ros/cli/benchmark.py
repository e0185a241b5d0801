def benchmark() -> None:
    """x."""
