"""Questions about family 3: packaged products and what is printed on them."""

import json
import random
from collections.abc import Callable

from glm4v_tui.demo.questions.dialogue import Chain, Turn, article, phrase, shuffled
from glm4v_tui.demo.scenes.products import ProductFacts

_IT = "[product|package|item|article]"


def ask_product(rng: random.Random, facts: ProductFacts) -> list[Chain]:
    """Questions about one package, in random order."""
    return [ask(rng, facts) for ask in shuffled(rng, _ASKED, 13)]


def product_json(facts: ProductFacts) -> str:
    """The record as the retail task reads it; null for what is not printed."""
    keys = ("brand", "name", "price", "weight", "category", "material")
    return json.dumps({k: getattr(facts, k) for k in keys}, ensure_ascii=False)


def _phrase(rng: random.Random, template: str) -> str:
    return phrase(rng, template.replace("IT", _IT))


def _brand(rng: random.Random, facts: ProductFacts) -> Chain:
    if rng.random() < 0.15:
        return (Turn("product brand", "Read the brand. Answer with the word only.", facts.brand),)
    question = _phrase(
        rng,
        "[What [is the brand|brand is this|brand is it|is the brand name][ of the IT|]?|Which "
        "brand is [this|it|the IT]?|"
        "What brand is printed on the IT?|Read the brand[ name|].|Who makes [this|the IT]?|Brand?]",
    )
    return (Turn("product brand", question, f"The brand is {facts.brand}."),)


def _name(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[What is the name of the IT?|What IT is [this|it]?|What is the product name?|Read the "
        "[product|] name.|"
        "Which IT is shown?|What is the product called?]",
    )
    return (Turn("product name", question, f"The product is {facts.name}."),)


def _price(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[What [is|'s] the price[ of the IT| of this IT|]?|How much [is it|is the IT|does it cost|"
        "does the IT cost]?|"
        "What does it cost?|Read the price.|What price is printed?|Price?]",
    ).replace(" 's", "'s")
    if facts.price is None:
        return (Turn("product absent", question, "There is no price in the image."),)
    first = Turn("product price", question, f"The price is {facts.price}.")
    if rng.random() < 0.2 and facts.weight is not None:
        return first, Turn(
            "product weight", phrase(rng, "[And the weight?|And how heavy is it?]"), _weighs(facts)
        )
    return (first,)


def _weighs(facts: ProductFacts) -> str:
    return f"The weight is {facts.weight}."


def _weight(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[What is the [weight|net weight|content|amount][ of the IT|]?|How [much is in it|heavy "
        "is it|heavy is the IT]?|"
        "What weight is printed?|Read the weight.|How many grams or milliliters?]",
    )
    if facts.weight is None:
        return (Turn("product absent", question, "There is no weight in the image."),)
    first = Turn("product weight", question, _weighs(facts))
    if rng.random() < 0.2 and facts.price is not None:
        return first, Turn(
            "product price",
            phrase(rng, "[And the price?|And how much is it?]"),
            f"The price is {facts.price}.",
        )
    return (first,)


def _category(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[What [category|kind of product|type of product] is [it|this|the IT]?|Which category "
        "does the IT belong to?|"
        "What is the category?]",
    )
    return (Turn("product category", question, f"The category is {facts.category}."),)


def _material(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[What [material is the package|is the package made of|is the packaging made of|material "
        "is it]?|"
        "What is the [packaging|package] material?|What is it made of?|Is it made of [glass|metal|"
        "paper|plastic|cardboard]?]",
    )
    if question.startswith("Is it"):
        named = question.split()[-1].rstrip("?")
        opening = "Yes" if named == facts.material else "No"
        return (
            Turn(
                "product material", question, f"{opening}, the package is made of {facts.material}."
            ),
        )
    return (Turn("product material", question, f"The package is made of {facts.material}."),)


def _colour(rng: random.Random, facts: ProductFacts) -> Chain:
    question = phrase(
        rng,
        "[What [color|colour] is the [package|label|packaging]?|Which [color|colour] is the "
        "package?]",
    )
    return (Turn("product color", question, f"The package is {facts.colour}."),)


def _over(rng: random.Random, facts: ProductFacts) -> Chain:
    """Whether the price is above a round limit near it."""
    if facts.price is None:
        return _price(rng, facts)
    amount, sign = float(facts.price[1:]), facts.price[0]
    limit = max(1, round(amount) + rng.randint(-5, 5))
    if abs(limit - amount) < 0.2:
        return _price(rng, facts)
    question = phrase(
        rng, "[Is it more than {limit}?|Does it cost more than {limit}?]", limit=f"{sign}{limit}"
    )
    return (
        Turn(
            "product compare",
            question,
            f"{'Yes' if amount > limit else 'No'}, the price is {facts.price}.",
        ),
    )


def _read(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[Read [all|] the text[ on the IT|].|What text is [on the IT|printed on it|in the image|"
        "visible]?|Transcribe the text.|"
        "What does it say?|What is written on the IT?|Read everything.|OCR]",
    )
    return (Turn("product text", question, "\n".join(facts.lines)),)


def _describe(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[Describe [the|this] [image|picture|IT].|What do you see[ here|]?|What does the image "
        "show?|What is this?|"
        "Describe what you see.|What is in the picture?|Tell me about this image.|Tell me about "
        "the IT.]",
    )
    amount = f", {facts.weight}" if facts.weight else ""
    price = f" for {facts.price}" if facts.price else ""
    text = (
        f"This is {article(facts.material)} package of {facts.brand} {facts.name}{amount}{price}."
    )
    return (Turn("product describe", question, text),)


def _is_complete(rng: random.Random, facts: ProductFacts) -> Chain:
    complete = facts.price is not None and facts.weight is not None
    question = phrase(
        rng, "[Are brand, price and weight all printed?|Is everything printed?] Answer yes or no."
    )
    return (Turn("product complete", question, "Yes" if complete else "No"),)


def _json(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _phrase(
        rng,
        "[[Return|Give|Extract|Report] the [product data|product|label|details] [as|in] JSON.|"
        "[Read|Describe] the [label|IT] [and|, ] [answer|reply] in JSON.|Extract brand, name, "
        "price and weight as JSON.|"
        "Extract brand, name, price, weight, category and material as JSON.|JSON record of this "
        "IT, please.]",
    )
    return (Turn("product json", question, product_json(facts)),)


_ASKED: dict[Callable[[random.Random, ProductFacts], Chain], int] = {
    _brand: 6,
    _name: 3,
    _price: 6,
    _weight: 3,
    _category: 2,
    _material: 2,
    _colour: 1,
    _over: 1,
    _read: 3,
    _is_complete: 1,
    _describe: 2,
    _json: 3,
}
