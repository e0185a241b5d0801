"""The object: clouds, meshes, distances, and what a hand can do with it."""
