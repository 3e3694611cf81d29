"""Reads what is printed on a packaged product."""
