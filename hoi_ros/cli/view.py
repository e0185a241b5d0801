def view() -> None:
    """x."""
