"""The kernels of a decode step, measured one by one; ``glm4v-tui bench kernels``."""
