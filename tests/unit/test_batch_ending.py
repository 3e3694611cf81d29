"""What ``batch`` says of a model's process that has ended."""

import pytest

from glm4v_tui.commands.batch_ending import of_image, of_loading
from glm4v_tui.engine.ending import AGAIN
from glm4v_tui.errors import ImageError, WorkerDiedError

LIMIT = "Raise it with ulimit -v unlimited."


@pytest.mark.parametrize(("given", "kept"), [(f"{AGAIN} {LIMIT}", LIMIT), (LIMIT, LIMIT)])
def test_the_known_remedy_is_told_without_what_is_for_conversations(given, kept):
    error = of_loading(WorkerDiedError("It ended", "By a limit.", given), can_go_on=True)
    assert error.remedy == f"{kept} Then go on with --resume."
    assert error.body == "It ended while it was loaded, 2 times in a row. By a limit."
    assert error.exit_code == 4


def test_nothing_is_gone_on_with_where_nothing_was_written_to_a_file():
    error = of_loading(WorkerDiedError("It ended", "", AGAIN), can_go_on=False)
    assert "glm4v-tui plan" in error.remedy
    assert error.remedy.endswith("Then start it again.")
    assert of_image(WorkerDiedError("It ended", "", AGAIN), can_go_on=False).remedy == ""


def test_of_an_image_it_is_said_how_it_is_asked_about_again():
    told = of_image(WorkerDiedError("It ended", "So.", AGAIN), can_go_on=True)
    assert (type(told), told.title, told.body) == (WorkerDiedError, "It ended", "So.")
    assert told.remedy == "--resume asks about it again."
    other = ImageError("Not an image", "", "Open it.")
    assert of_image(other, can_go_on=True) is other
