"""What the strip of a review says of other reviewers' verdicts."""

import pytest

from glm4v_tui.store.verdicts import Verdict
from glm4v_tui.triage.standings import Decided, Standings
from glm4v_tui.ui.triage.words import mark_of


@pytest.mark.parametrize(
    ("own", "others", "word"),
    [
        (Verdict(), (Decided("bob", "fail"),), "bob: fail"),
        (Verdict(is_flagged=True), (Decided("bob", "fail"),), "bob: fail"),
        (Verdict(), (Decided("bob", None), Decided("eve", "fail", True)),
         "bob: skipped, eve: fail (auto)"),
        (Verdict(label="pass"), (Decided("bob", "fail"),), "pass · bob: fail"),
        (Verdict(label="fail"), (Decided("bob", "fail"),), "fail"),
        (Verdict(is_skipped=True), (Decided("bob", "fail"),), "skipped"),
        (Verdict(label="pass"), (Decided("eve", "fail", True),), "pass"),
        (Verdict(), (Decided("", "fail"),), "somebody: fail"),
        (Verdict(), (), ""),
    ],
)  # fmt: skip
def test_others_are_named_and_own_verdicts_come_first(own, others, word):
    standings = Standings(1)
    standings.set_verdict(0, own)
    standings.set_others(0, others)
    assert mark_of(standings, 0)[0] == word
