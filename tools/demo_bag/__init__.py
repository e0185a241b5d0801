"""Parts of ``tools/render_demo_bag.py``: how the hand moves, what its skin looks like, the scene, the camera."""
