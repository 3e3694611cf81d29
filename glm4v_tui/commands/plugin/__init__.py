"""``glm4v-tui plugin``: plugins listed, installed, removed, checked and begun."""
