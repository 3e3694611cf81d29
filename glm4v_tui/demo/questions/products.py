"""Questions about family 3: packaged products and what is printed on them."""

import json
import random
from collections.abc import Callable

from glm4v_tui.demo.questions.dialogue import Chain, Turn, alternatives, article, phrase, shuffled
from glm4v_tui.demo.questions.sheets import TEXT
from glm4v_tui.demo.scenes.colours import COLOURS
from glm4v_tui.demo.scenes.products import MATERIALS, ProductFacts
from glm4v_tui.demo.scenes.words import NOUNS

BRAND = (
    "What [is the brand|brand is this|brand is it|is the brand name][ of [the|this] <item>|]?",
    "Which brand is [this|it|the <item>]?",
    "[What|Which] brand [is printed|is shown|can be seen|can you read|do you see]"
    "[ on the <item>|]?",
    "Read the brand[ name|].",
    "Who [makes|made|produces] [this|it|the <item>]?",
    "<what is> the [brand|brand name|maker|manufacturer]<here>?",
    "[Brand|Brand name|Maker|The brand|Which brand|What brand|Brand, please]?",
    "<can you tell> [the brand|which brand it is|what brand this is]?",
    "[Tell|Give] me the brand.",
    "Name the brand.",
    "Which company [makes|made] [this|it]?",
    "What is the <item>'s brand?",
)
NAME = (
    "<what is> the [product name|name of the <item>|name of this <item>]?",
    "[What|Which] <item> is [this|it|that]?",
    "Read the [product|] name.",
    "[What|Which] <item> is shown<here>?",
    "What is the [product|<item>] called?",
    "[Product name|Product|Name|Name of the product|Which product|What product]?",
    "<can you tell> the [product |]name?",
    "Name the [product|item].",
    "What is this <item> called?",
    "What is sold here?",
)
PRICE = (
    "<what is> the price[ of the <item>| of this <item>|<here>]?",
    "How much [is it|is this|is the <item>|does it cost|does this cost|does the <item> cost]?",
    "What [does it cost|does the <item> cost|does this cost|is the cost]?",
    "Read the price.",
    "[What|Which] price is [printed|shown|on the tag|given]<here>?",
    "[Price|The price|How much|Cost|Price, please|What price|Price tag]?",
    "<can you tell> [the price|how much it is|how much it costs|what it costs]?",
    "[Tell|Give] me the price.",
    "What do I [pay|have to pay] for [it|this|the <item>]?",
    "What does the price tag say?",
    "How expensive is [it|the <item>]?",
)
WEIGHT = (
    "<what is> the [weight|net weight|content|contents|amount|quantity|volume]"
    "[ of the <item>| of this <item>|]?",
    "How [much is in it|heavy is it|heavy is the <item>|heavy is this]?",
    "[What|Which] weight is [printed|shown|given]<here>?",
    "Read the [weight|amount|net weight].",
    "How many [grams or milliliters|grams|milliliters|millilitres|ml|grammes|ounces|liters or "
    "grams|kilograms|litres]<here>?",
    "How many [grams|milliliters] [are in it|does it contain|does it hold|is it]?",
    "[Weight|The weight|Net weight|Amount|Quantity|Volume|Weight in grams|How heavy|Contents]?",
    "How much does [it|the <item>|this] weigh?",
    "<can you tell> [the weight|how much it weighs|how heavy it is]?",
    "<what is> the [weight in grams|volume in milliliters]?",
    "[Tell|Give] me the [weight|amount].",
    "How much [does it contain|is inside|is in the package]?",
    "How large is the [amount|quantity]?",
)
CATEGORY = (
    "What [category|kind of product|type of product|sort of product] is [it|this|the <item>]?",
    "[Which|What] category does [the|this] <item> belong to?",
    "<what is> the [category|product category|type of product]?",
    "[Category|Product category|Kind of product|Type of product|Which category]?",
    "[Name|Give|Tell me] the category.",
    "What kind of <item> is [this|it]?",
    "<can you tell> [the category|what kind of product this is]?",
    "In which category is [it|the <item>]?",
)
MATERIAL = (
    "[What|Which] material is [the package|it|this|the packaging|this package]?",
    "What is the [package|packaging|container] made [of|from|out of]?",
    "<what is> the [packaging|package|] material[ of the package|]?",
    "What is [it|this|the <item>] [made of|made from|packed in]?",
    "[Material|Packaging|Made of|Made of what|Package material|Packaging material]?",
    "<can you tell> [the material|what the package is made of]?",
    "[Of|From] [which|what] material is the package?",
    "In [which|what] material is it packed?",
)
COLOUR = (
    "[What|Which] <color> is the [package|label|packaging]<here>?",
    "<what is> the [main <color>|<color>][ of the [package|packaging|label]|]?",
    "[What|Which] [main |]<color> does the [package|packaging] have?",
    "[<color>|Main <color>|<color> of the package|Package <color>]?",
    "What <color> is [it|this|the <item>]?",
    "<can you tell> the [main |]<color>[ of the package|]?",
)


def ask_product(rng: random.Random, facts: ProductFacts) -> list[Chain]:
    """Questions about one package, in random order."""
    return [ask(rng, facts) for ask in shuffled(rng, _ASKED, 14)]


def product_json(facts: ProductFacts) -> str:
    """The record as the retail task reads it; null for what is not printed."""
    keys = ("brand", "name", "price", "weight", "category", "material")
    return json.dumps({k: getattr(facts, k) for k in keys}, ensure_ascii=False)


def _sentence(question: str) -> str:
    return question[0].upper() + question[1:]


def _brand(rng: random.Random, facts: ProductFacts) -> Chain:
    if rng.random() < 0.15:
        question = phrase(
            rng,
            "[Read the brand.|What is the brand?|Brand?] "
            "[Answer with the word only|Only the word|Answer with the brand only].",
        )
        return (Turn("product brand", question, facts.brand),)
    question = _sentence(phrase(rng, BRAND))
    return (Turn("product brand", question, f"The brand is {facts.brand}."),)


def _name(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _sentence(phrase(rng, NAME))
    return (Turn("product name", question, f"The product is {facts.name}."),)


def _price(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _sentence(phrase(rng, PRICE))
    if facts.price is None:
        return (Turn("product absent", question, "There is no price in the image."),)
    first = Turn("product price", question, f"The price is {facts.price}.")
    if rng.random() < 0.2 and facts.weight is not None:
        return first, Turn(
            "product weight",
            phrase(
                rng,
                "[And the weight?|And how heavy is it?|The weight?|And how much is in it?|Weight?]",
            ),
            _weighs(facts),
        )
    return (first,)


def _weighs(facts: ProductFacts) -> str:
    return f"The weight is {facts.weight}."


def _weight(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _sentence(phrase(rng, WEIGHT))
    if facts.weight is None:
        return (Turn("product absent", question, "There is no weight in the image."),)
    first = Turn("product weight", question, _weighs(facts))
    if rng.random() < 0.2 and facts.price is not None:
        return first, Turn(
            "product price",
            phrase(
                rng, "[And the price?|And how much is it?|The price?|And what does it cost?|Price?]"
            ),
            f"The price is {facts.price}.",
        )
    return (first,)


def _category(rng: random.Random, facts: ProductFacts) -> Chain:
    question = _sentence(phrase(rng, CATEGORY))
    return (Turn("product category", question, f"The category is {facts.category}."),)


def _material(rng: random.Random, facts: ProductFacts) -> Chain:
    by = rng.random()
    if by < 0.25:
        named = facts.material if rng.random() < 0.5 else rng.choice(MATERIALS)
        question = phrase(
            rng,
            "Is [it|this|the package|the packaging] [made of |made from |made out of |]{named}?",
            named=named,
        )
        opening = "Yes" if named == facts.material else "No"
        answer = f"{opening}, the package is made of {facts.material}."
        return (Turn("product material", question, answer),)
    if by < 0.4:
        question = phrase(
            rng,
            "[{options}|Is [it|this|the package] [made of |]{options}|Is it {options}]?",
            options=alternatives(rng, facts.material, MATERIALS),
        )
    else:
        question = phrase(rng, MATERIAL)
    answer = f"The package is made of {facts.material}."
    return (Turn("product material", _sentence(question), answer),)


def _colour(rng: random.Random, facts: ProductFacts) -> Chain:
    by = rng.random()
    if by < 0.2:
        named = facts.colour if rng.random() < 0.5 else rng.choice(COLOURS)
        question = phrase(rng, "Is [it|this|the package|the packaging] {named}?", named=named)
        opening = "Yes" if named == facts.colour else "No"
        return (Turn("product color", question, f"{opening}, the package is {facts.colour}."),)
    if by < 0.35:
        question = phrase(
            rng,
            "[{options}|Is [it|this|the package] {options}]?",
            options=alternatives(rng, facts.colour, COLOURS),
        )
    else:
        question = phrase(rng, COLOUR)
    return (Turn("product color", _sentence(question), f"The package is {facts.colour}."),)


def _identity(rng: random.Random, facts: ProductFacts) -> Chain:
    """Whether it is coffee; `coffee or tea?`."""
    categories = sorted(set(NOUNS.values()))
    if rng.random() < 0.25:
        question = phrase(
            rng,
            "[{options}|Is [it|this|the product] {options}]?",
            options=alternatives(rng, facts.category, categories),
        )
        answer = f"The product is {facts.name}."
        return (Turn("product identity", _sentence(question), answer),)
    named = facts.category if rng.random() < 0.5 else rng.choice(categories)
    question = phrase(
        rng,
        (
            "Is [this|it|that|the product] {named}?",
            "Is [this|it|that] {a_named}?",
            "Is [this|it] [a package of|a kind of|some] {named}?",
            "Does the <picture> show {named}?",
            "Is there {named} in [it|the package]?",
            "Does [it|the package] contain {named}?",
            "<can you tell> [if|whether] this is {named}?",
        ),
        named=named,
        a_named=article(named),
    )
    opening = "Yes" if named == facts.category else "No"
    return (Turn("product identity", question, f"{opening}, the product is {facts.name}."),)


def _several(rng: random.Random, facts: ProductFacts) -> Chain:
    """Two or three of the printed things at once, answered one after the other."""
    known = {
        "brand": f"The brand is {facts.brand}.",
        "[product name|name]": f"The product is {facts.name}.",
        "price": f"The price is {facts.price}."
        if facts.price
        else "There is no price in the image.",
        "weight": _weighs(facts) if facts.weight else "There is no weight in the image.",
        "material": f"The package is made of {facts.material}.",
    }
    count = 2 if rng.random() < 0.8 else 3
    weights = (3, 2, 4, 4, 1)
    names = sorted(known, key=lambda n: rng.random() ** (1 / weights[list(known).index(n)]))
    names = names[-count:]
    *head, last = names
    rows = f"{', '.join(head)} and {last}"
    question = phrase(
        rng,
        (
            f"{rows}?",
            f"{rows}[, please|]?",
            f"<what is> the {rows}?",
            f"What are the {rows}?",
            f"Read [the|] {rows}.",
            f"[Tell|Give] me [the|] {rows}.",
            f"<can you tell> the {rows}?",
            f"{rows} of the <item>?",
            f"[What|Which] {rows} [are|is] printed?",
        ),
    )
    answer = " ".join(known[name] for name in names)
    return (Turn("product several", _sentence(question), answer),)


def _over(rng: random.Random, facts: ProductFacts) -> Chain:
    """Whether the price is above a round limit near it."""
    if facts.price is None:
        return _price(rng, facts)
    amount, sign = float(facts.price[1:]), facts.price[0]
    limit = max(1, round(amount) + rng.randint(-5, 5))
    if abs(limit - amount) < 0.2:
        return _price(rng, facts)
    question = phrase(
        rng,
        "[Is it|Does it cost|Is the price|Does this cost] [more than|over|above] {limit}?",
        limit=f"{sign}{limit}",
    )
    return (
        Turn(
            "product compare",
            question,
            f"{'Yes' if amount > limit else 'No'}, the price is {facts.price}.",
        ),
    )


def _read(rng: random.Random, facts: ProductFacts) -> Chain:
    question = phrase(
        rng,
        TEXT
        if rng.random() < 0.7
        else (
            "Read [all|] the text on the <item>.",
            "What text is [on the <item>|printed on it|on the label]?",
            "What is [written|printed] on [the <item>|it|the label]?",
            "What does the [package|label|packaging|product] say?",
            "What can be read on the <item>?",
            "Read the label.",
        ),
    )
    return (Turn("product text", question, "\n".join(facts.lines)),)


def _describe(rng: random.Random, facts: ProductFacts) -> Chain:
    question = phrase(
        rng,
        (
            "Describe [the|this] [image|picture|photo|<item>].",
            "What [do|can] you see[ here|]?",
            "What does the <picture> show?",
            "<what is> this?",
            "Describe what you see.",
            "<what is> in the <picture>?",
            "Tell me about [this <picture>|the <item>|this <item>].",
            "What can be seen<here>?",
            "<can you tell> what [this is|you see]?",
            "[Summarize|Describe] the product in one sentence.",
        ),
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
        rng,
        "[Are brand, price and weight all printed?|Is everything printed?|Are [both |]price and "
        "weight [both |]printed?|Is the label complete?] <yes or no>",
    )
    return (Turn("product complete", question, "Yes" if complete else "No"),)


def _json(rng: random.Random, facts: ProductFacts) -> Chain:
    question = phrase(
        rng,
        (
            "[Return|Give|Extract|Report] [the|all] [product data|product|label|details] <json>.",
            "[Read|Describe] the [label|<item>][ and|,] [answer|reply] in JSON.",
            "Extract brand, name, price and weight as JSON.",
            "Extract brand, name, price, weight, category and material as JSON.",
            "JSON record of this <item>, please.",
            "[Product data as JSON|JSON record|Label as JSON|Product as JSON, please].",
            "Give me the [product data|label] <json>.",
        ),
    )
    return (Turn("product json", question, product_json(facts)),)


_ASKED: dict[Callable[[random.Random, ProductFacts], Chain], int] = {
    _brand: 6,
    _name: 3,
    _price: 6,
    _weight: 3,
    _category: 2,
    _material: 2,
    _colour: 2,
    _over: 1,
    _identity: 3,
    _several: 4,
    _read: 3,
    _is_complete: 1,
    _describe: 2,
    _json: 3,
}
