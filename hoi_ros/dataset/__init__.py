"""The dataset engine: objects, grasps, words and pictures that learned methods train on."""
