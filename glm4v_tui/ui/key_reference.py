"""The reference of keys in Markdown, from the bindings themselves (``python -m`` this module)."""

from __future__ import annotations

from glm4v_tui.ui.key_check import Place, all_places
from glm4v_tui.ui.key_names import key_label


def reference(places: list[Place]) -> str:
    """A table with the id, the keys and the meaning of every binding, in the order of the ids."""
    keys: dict[str, list[str]] = {}
    meanings: dict[str, str] = {}
    for place in places:
        for binding in place.bindings:
            if binding.id:
                labels = keys.setdefault(binding.id, [])
                labels += [label for label in [key_label(binding.key)] if label not in labels]
                meanings[binding.id] = ". ".join(
                    filter(None, (binding.description, binding.tooltip))
                )
    lines = ["| id | keys | what it does |", "|---|---|---|"]
    lines += [_row(name, keys[name], meanings[name]) for name in sorted(keys)]
    return "\n".join(lines) + "\n"


def _row(name: str, keys: list[str], meaning: str) -> str:
    cells = (f"`{name}`", " ".join(f"`{key}`" for key in keys), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    import sys

    sys.stdout.write(reference(all_places()))
