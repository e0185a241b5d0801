"""The words: instructions and descriptions."""
