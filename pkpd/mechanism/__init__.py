"""Equations solved: meshes, fixed and adaptive steps, closed forms, exposures."""
