"""``glm4v-tui model``: the models on this host, and the hub that they come from."""
