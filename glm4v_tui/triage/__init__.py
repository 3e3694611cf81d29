"""Reviewing many images: the queue, the look ahead, the verdicts."""
