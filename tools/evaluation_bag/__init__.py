"""Parts of ``tools/render_evaluation_bag.py``: mug and true grasps, how the hand moves, the scene, the truth."""
