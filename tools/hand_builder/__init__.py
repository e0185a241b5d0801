"""Builds the embedded hand: skeleton, flesh (an implicit surface), mesh, skinning, correctives, shapes, synergies."""
