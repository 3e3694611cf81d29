"""How a task's result is set off from the reasoning before it."""

RESULT_MARK = "```json\n"
"""Opens the result in the answer of a model that was allowed to reason first. A model that thinks
in marks of its own (``</think>``) needs none."""
