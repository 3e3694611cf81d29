"""Conversations as files. Nothing that was said, and no file's name, becomes markup in them."""
