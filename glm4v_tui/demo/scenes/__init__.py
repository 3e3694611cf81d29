"""Procedural scenes: each family draws images and returns the facts that they show."""
