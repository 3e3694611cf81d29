"""Weights in INT8 and NF4: the layers that hold them, and how a checkpoint becomes such layers."""
