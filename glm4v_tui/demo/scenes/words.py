"""What is printed on packages and sheets: words, names, prices and weights."""

import random

NOUNS: dict[str, str] = {
    "Coffee": "coffee", "Espresso": "coffee", "Black Tea": "tea", "Green Tea": "tea",
    "Herbal Tea": "tea", "Corn Flakes": "cereal", "Muesli": "cereal", "Oats": "cereal",
    "Orange Juice": "juice", "Apple Juice": "juice", "Hand Soap": "soap", "Dish Soap": "soap",
    "Rice": "rice", "Basmati": "rice", "Chocolate": "chocolate", "Cocoa": "chocolate",
    "Milk": "milk", "Oat Milk": "milk", "Pasta": "pasta", "Spaghetti": "pasta",
    "Honey": "honey", "Chips": "snack", "Crackers": "snack", "Cookies": "snack",
    "Tomato Sauce": "sauce", "Ketchup": "sauce", "Pesto": "sauce", "Sugar": "sugar",
    "Flour": "flour", "Shampoo": "shampoo",
}  # fmt: skip
"""Words that a product's name ends with, and the category of each."""

ADJECTIVES = (
    "", "", "", "Organic", "Classic", "Fresh", "Dark", "Sweet", "Pure", "Golden", "Family",
    "Premium", "Natural", "Mild", "Crispy", "Royal", "Extra", "Daily", "Original", "Fine",
)  # fmt: skip
_UNITS = ("g", "g", "kg", "ml", "L", "oz")
_CONSONANTS, _VOWELS = "BCDFGHJKLMNPQRSTVWXYZ", "AEIOUY"


def any_brand(rng: random.Random) -> str:
    """A word that exists nowhere: pronounceable or any letters, in capitals or capitalised."""
    length = rng.choices((3, 4, 5, 6, 7, 8), (2, 4, 5, 5, 3, 2))[0]
    if rng.random() < 0.5:
        word = "".join(rng.choice((_CONSONANTS, _VOWELS)[i % 2]) for i in range(length))
    else:
        word = "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(length))
    return word if rng.random() < 0.72 else word.capitalize()


def any_name(rng: random.Random) -> tuple[str, str]:
    """A product's name and its category."""
    noun = rng.choice(tuple(NOUNS))
    return f"{rng.choice(ADJECTIVES)} {noun}".strip(), NOUNS[noun]


def any_price(rng: random.Random) -> str:
    """`$7.25`, `£14.90`."""
    whole = rng.randint(0, 9) if rng.random() < 0.6 else rng.randint(10, 99)
    return f"{rng.choice('$$$€€£')}{whole}.{rng.randint(0, 99):02d}"


def any_weight(rng: random.Random) -> str:
    """`250 g`, `1.5 L`."""
    unit = rng.choice(_UNITS)
    if unit in {"g", "ml"}:
        return f"{rng.choice((rng.randint(2, 99) * 10, rng.randint(10, 999)))} {unit}"
    if unit == "oz":
        return f"{rng.randint(2, 64)} oz"
    return (
        f"{rng.randint(1, 9)} {unit}"
        if rng.random() < 0.5
        else f"{rng.randint(0, 4)}.{rng.randint(1, 9)} {unit}"
    )
