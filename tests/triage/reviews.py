"""Reviews for tests: small files, a task with labels, a database of their own."""

import itertools

from glm4v_tui.store.database import Database
from glm4v_tui.tasks.task import Label
from glm4v_tui.triage.queue import Queue
from glm4v_tui.triage.review import Review
from tests.tasks.fakes import Look

_sessions = itertools.count()


class Sort(Look):
    name = "sort"
    title = "Sort"
    labels = (Label("good", "g"), Label("bad", "b"))


class PrivateSort(Sort):
    name = "private-sort"
    is_private = True


def images_in(folder, names):
    """Files that are images by their names, each with contents of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(f"image {name}".encode())
    return folder


def review_of(folder, database, *, task=None, reviewer="ann", said=None, recursive=False):
    """A new run of the program.

    Args:
        said: (label, probability) of the model by file name.
    """
    return Review(
        Database(database),
        task or Sort(),
        Queue.of([folder], recursive=recursive),
        reviewer=reviewer,
        session=f"s{next(_sessions)}",
        model_label_of=lambda path: (said or {}).get(path.name, (None, None)),
    )
