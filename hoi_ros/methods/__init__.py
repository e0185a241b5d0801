"""The stages' implementations, one folder each."""
