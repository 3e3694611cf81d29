"""glm4v-tui: look at images with a local vision-language model from a terminal."""

__version__ = "0.1.0"
