"""Tasks: what is asked about an image, and what form the answer has.

For plugin authors everything of use is in :mod:`glm4v_tui` itself. In here, in the order of a
question: ``plugins`` finds and loads, ``task`` is the contract, ``toml_task`` makes a task of a
file, ``call`` puts a question together, ``schema`` describes the form, ``results`` reads the
answer, ``panel`` is what is shown of it.

For the ``plugin`` commands: ``scaffold`` begins a plugin, ``checkup`` looks at one (``project`` its
``pyproject.toml``, ``probe`` its code in a process that may break, ``rehearsal`` its tasks),
``installer`` brings it here, ``remembered`` keeps the list.
"""
