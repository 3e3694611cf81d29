"""A reviewer to be killed: says what it is about to do, does it, and says that it is done.

    python -m tests.triage.scripted_reviewer FOLDER DATABASE FIRST_NUMBER

Every verdict carries a number of its own as the seconds that the image was looked at.
"""

import random
import sys
from pathlib import Path

from tests.triage.reviews import review_of


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(folder, database, first):
    review = review_of(Path(folder), Path(database))
    review.resume()
    say("at", review.current.name)
    chance = random.Random(int(first))
    for number in range(int(first), int(first) + 100_000):
        verb = chance.choices(["good", "bad", "skip", "undo"], [5, 3, 1, 1])[0]
        say("begin", verb, number, review.current.name)
        if verb == "undo":
            back = review.undo()
            say("done", verb, number, back.name if back else "-")
            continue
        name = review.current.name
        if verb == "skip":
            review.skip(seconds=number)
        else:
            review.give(verb, seconds=number)
        say("done", verb, number, name)
        if not review.advance():
            return


main(*sys.argv[1:])
