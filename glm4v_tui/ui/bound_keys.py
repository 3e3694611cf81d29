"""The key of a binding as the user has it, to be named in a text before anything is laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.ui.key_names import key_label

if TYPE_CHECKING:
    from textual.dom import DOMNode


def bound_key(node: DOMNode, binding_id: str) -> str:
    """The first key of a binding of the node, its screen or the app; empty without one."""
    own = node.app._keymap.get(binding_id)
    if own is not None:
        return key_label(own.partition(",")[0].strip())
    for owner in (node, node.screen, node.app):
        for key, binding in owner._bindings:
            if binding.id == binding_id:
                return key_label(key)
    return ""
