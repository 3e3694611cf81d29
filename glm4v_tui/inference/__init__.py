"""The model itself. The only package that imports torch or transformers.

Importing this package imports neither; :class:`glm4v_tui.inference.backend.Backend` does so when
it loads a model.
"""
