"""Reproducible figures on the user's own machine, measured from outside the program."""
