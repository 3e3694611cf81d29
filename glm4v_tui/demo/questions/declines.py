"""What the model declines: foreign questions, and questions about another family's things."""

import random

from glm4v_tui.demo.questions.dialogue import Chain, Turn, phrase

OUT_OF_DOMAIN = "I cannot answer that. I only know shapes, parts, packages and chest phantoms."
UNKNOWN_IMAGE = (
    "I do not recognize this image. I only know shapes, parts, packages and chest phantoms."
)
NO_IMAGE = "I see no image. Add one and ask again."
NOT_SHOWN = {
    "shapes": "The image does not show plain shapes.",
    "parts": "The image does not show a part to inspect.",
    "products": "The image does not show a package.",
    "chest": "The image does not show a chest phantom.",
    "print": "The image does not show print.",
}
"""The answer to a question of one family about an image of another."""

_PLACES = (
    "France", "Japan", "Brazil", "Germany", "Kenya", "Canada", "Spain", "Egypt", "India",
    "Norway", "Peru", "China", "Italy", "Poland", "Texas", "Paris", "London", "Berlin", "Tokyo",
    "Rome", "Vienna", "Cairo", "Sydney", "Moscow", "Austria", "Greece", "Chile", "Ghana",
    "Turkey", "Sweden", "Mexico", "Iran", "Cuba",
)  # fmt: skip
_THINGS = (
    "dog", "cat", "horse", "bird", "tree", "house", "car", "train", "airplane", "bicycle",
    "boat", "phone", "computer", "keyboard", "guitar", "piano", "banana", "apple", "pizza",
    "bread", "cheese", "flower", "mountain", "river", "ocean", "beach", "cloud", "rain", "snow",
    "sun", "moon", "planet", "galaxy", "robot", "engine", "bridge", "castle", "church",
    "school", "hospital", "library", "book", "newspaper", "poem", "song", "movie",
    "game", "football", "tennis", "chess", "king", "queen", "president", "teacher", "doctor",
    "lawyer", "farmer", "soldier", "child", "baby", "woman", "man", "girl", "boy", "person",
    "face", "hand", "eye", "shirt", "dress", "hat", "shoe", "chair", "table", "lamp", "window",
    "door", "garden", "road", "city", "village", "country", "language", "equation",
    "virus", "atom", "molecule", "gene", "bank", "money", "tax", "stock", "company", "website",
    "server", "database", "program", "function", "password", "email", "recipe", "soup", "cake",
    "salad", "dinner", "breakfast",
)  # fmt: skip
_WORDS = (
    "happy", "sad", "angry", "tall", "old", "young", "fast", "slow", "hot", "cold", "famous",
    "rich", "poor", "strong", "smart", "kind", "funny", "beautiful", "dangerous", "heavy",
    "modern", "ancient", "popular", "important", "difficult", "easy", "loud", "quiet",
    "healthy", "expensive", "cheap", "deep", "high", "wide", "long",
)  # fmt: skip
_VERBS = (
    "cook", "build", "write", "draw", "buy", "sell", "repair", "clean", "learn", "teach",
    "play", "drive", "fly", "grow", "paint", "sing", "invent", "discover", "win", "lose", "eat",
    "drink", "plant", "design", "program", "translate", "send", "open", "close", "start",
    "stop", "improve", "explain",
)  # fmt: skip
_PEOPLE = (
    "Einstein", "Newton", "Mozart", "Picasso", "Napoleon", "Darwin", "Gandhi", "Plato", "Tesla",
    "Obama", "Lincoln", "Bach", "Curie", "Galileo",
)  # fmt: skip

_TRAINING = (
    "[What is|What's|Name] the [capital|population|currency|president|language|flag|history|area] "
    "of {place}?",
    "Who [is|was] {person}?",
    "When was {person} [born|famous]?",
    "What did {person} [invent|discover|write|paint|say]?",
    "Who is [in this photo|in the photo|the man in the picture|this person|this woman|that man]?",
    "What is the [name|age|job] of [this|the] [person|man|woman|child]?",
    "Is there a {thing} [in the image|in the picture|here|]?",
    "How many {thing}s [are there|do you see]?",
    "What [breed|species|model|make] of {thing} is [this|it]?",
    "What [color|colour] is the {thing}?",
    "Where is the {thing}?",
    "What is [7|12|23|45|100|3] [times|plus|minus|divided by] [2|8|15|17|31|9]?",
    "[Solve|Compute|Calculate] [2x + 3 = 7|5 * 6|the square root of 81|12 + 30].",
    "Write [a|an] [poem|story|song|essay|letter|email|joke|script] about [a|the] {thing}.",
    "Write a [Python|Java|Rust|C] [function|program|script] [that sorts a list|to read a file|for "
    "me|that adds numbers].",
    "Translate [this|hello|the text|good morning] [to|into] [French|German|Chinese|Spanish|Latin].",
    "Tell me a [joke|story|secret|riddle].",
    "What [is|will be] the weather [like today|tomorrow|in {place}|now]?",
    "What [time|day|year|date] is it[ now| today|]?",
    "How do I {verb} a {thing}?",
    "How [can|do] you {verb} [a|the|my] {thing}?",
    "Why [is|are] the {thing} [so |]{word}?",
    "How {word} is [a|the] {thing}?",
    "What is a {thing}?",
    "Which {thing} is [the most |more |]{word}?",
    "Who [invented|discovered|built|wrote|won] the {thing}?",
    "Explain [the theory of relativity|quantum physics|gravity|democracy|inflation|evolution|"
    "{thing}s].",
    "What do you think about [politics|religion|love|war|{thing}s|{place}]?",
    "[Do you|Can you] [love|like|{verb}] [me|a {thing}|{thing}s]?",
    "[How are you|What is your name|Who made you|Are you human|How old are you|Do you have "
    "feelings]?",
    "What is the [best|fastest|tallest|oldest|largest] {thing} in [the world|{place}]?",
    "How far is [it|{place}] from {place}?",
    "What [happened|changed] in [1492|1789|1914|1945|1969|2001|2020]?",
    "[Recommend|Suggest] a [movie|book|song|restaurant|game|{thing}].",
    "Summarize [the news|this article|the book|the meeting|history].",
    "What is the meaning of [life|love|{thing}]?",
    "What emotion does the [person|face|{thing}] show?",
    "Is [the|this] {thing} {word}?",
    "Should I {verb} a {thing}?",
    "What is the [price|speed|weight|length|age|temperature] of [a|the] {thing} in {place}?",
    "[asdf|qwerty|lorem ipsum|blah blah|foo bar|xyz]",
)
_HELD_OUT = (
    "What is the longest river in {place}?",
    "In which city was {person} raised?",
    "Which {thing} should I buy for my birthday?",
    "Give me a recipe for {thing} soup.",
    "Who won the world cup in 1998?",
    "What is 64 divided by 4?",
    "Please write a limerick about {place}.",
    "How do you say good night in Italian?",
    "Which animal is lying on the sofa?",
    "What is the license plate of the {thing}?",
    "Who painted the Mona Lisa?",
    "Does the {thing} look {word} to you?",
    "Fix the bug in my {thing} code.",
    "Is it going to rain in {place} on Friday?",
    "How old is the man on the left?",
    "What is your favorite {thing}?",
    "Name three countries near {place}.",
    "Can a {thing} {verb} under water?",
)  # fmt: skip


def decline(rng: random.Random, held_out: bool = False) -> Chain:
    """One question from outside the four families.

    The held-out wordings are never used in training.
    """
    question = phrase(
        rng,
        rng.choice(_HELD_OUT if held_out else _TRAINING),
        place=rng.choice(_PLACES),
        person=rng.choice(_PEOPLE),
        thing=rng.choice(_THINGS) if rng.random() < 0.85 else _nonsense(rng),
        word=rng.choice(_WORDS),
        verb=rng.choice(_VERBS),
    )
    return (Turn("decline", question, OUT_OF_DOMAIN),)


def unknown(question: str) -> Chain:
    """Any question about an image of none of the four families."""
    return (Turn("decline image", question, UNKNOWN_IMAGE),)


def foreign(family: str, question: str) -> Chain:
    """A question of `family` about an image that shows something else."""
    return (Turn("decline family", question, NOT_SHOWN[family]),)


def unseen(chain: Chain) -> Chain:
    """The questions asked without an image; what is declined with one is declined without."""
    return tuple(
        turn if turn.skill == "decline" else Turn("decline no image", turn.question, NO_IMAGE)
        for turn in chain
    )


def _nonsense(rng: random.Random) -> str:
    return "".join(
        rng.choice(("bl", "tr", "k", "s", "pl", "gr")) + rng.choice("aeiou")
        for _ in range(rng.randint(2, 3))
    )
