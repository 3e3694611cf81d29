"""The language model on this program's own loop: a cache that stays, steps that a GPU replays.

transformers builds the model and keeps its weights; what is here runs them. It knows one family of
decoder layers, that of GLM: grouped-query attention with a rotary embedding over interleaved pairs,
a gated feed-forward part whose two halves are one matrix, and norms before and, in some models,
after each of the two. :func:`stack.stack_of` finds out whether a model is of it; others are left to
transformers' own ``generate``.
"""
