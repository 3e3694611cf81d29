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
_MORE_NOUNS: dict[str, str] = {
    "Ground Coffee": "coffee", "Instant Coffee": "coffee", "Coffee Beans": "coffee",
    "Cappuccino": "coffee", "Mocha": "coffee", "Decaf": "coffee", "Mint Tea": "tea",
    "White Tea": "tea", "Chai": "tea", "Earl Grey": "tea", "Iced Tea": "tea", "Rooibos": "tea",
    "Tea": "tea", "Oat Cereal": "cereal", "Rice Cereal": "cereal", "Granola": "cereal",
    "Bran Flakes": "cereal", "Porridge": "cereal", "Cereal": "cereal", "Wheat Flakes": "cereal",
    "Juice": "juice", "Grape Juice": "juice", "Tomato Juice": "juice", "Lemonade": "juice",
    "Cherry Juice": "juice", "Mango Juice": "juice", "Soap": "soap", "Bar Soap": "soap",
    "Liquid Soap": "soap", "Soap Flakes": "soap", "Basmati Rice": "rice", "Brown Rice": "rice",
    "Jasmine Rice": "rice", "Long Grain Rice": "rice", "Risotto Rice": "rice",
    "Wild Rice": "rice", "Dark Chocolate": "chocolate", "Milk Chocolate": "chocolate",
    "White Chocolate": "chocolate", "Truffles": "chocolate", "Cocoa Powder": "chocolate",
    "Whole Milk": "milk", "Skim Milk": "milk", "Soy Milk": "milk", "Almond Milk": "milk",
    "Goat Milk": "milk", "Rice Milk": "milk", "Milk Powder": "milk", "Penne": "pasta",
    "Fusilli": "pasta", "Macaroni": "pasta", "Egg Noodles": "pasta", "Lasagne": "pasta",
    "Ravioli": "pasta", "Linguine": "pasta", "Forest Honey": "honey", "Clover Honey": "honey",
    "Acacia Honey": "honey", "Potato Chips": "snack", "Corn Chips": "snack", "Popcorn": "snack",
    "Pretzels": "snack", "Salted Nuts": "snack", "Peanuts": "snack", "Biscuits": "snack",
    "Trail Mix": "snack", "Rice Cakes": "snack", "Nachos": "snack", "Soy Sauce": "sauce",
    "Hot Sauce": "sauce", "Pasta Sauce": "sauce", "Mustard": "sauce", "Mayonnaise": "sauce",
    "Salsa": "sauce", "Curry Sauce": "sauce", "Barbecue Sauce": "sauce", "Brown Sugar": "sugar",
    "Cane Sugar": "sugar", "Icing Sugar": "sugar", "Sugar Cubes": "sugar",
    "Wheat Flour": "flour", "Rye Flour": "flour", "Corn Flour": "flour", "Cake Flour": "flour",
    "Baby Shampoo": "shampoo", "Herbal Shampoo": "shampoo", "Dry Shampoo": "shampoo",
    "Repair Shampoo": "shampoo",
}  # fmt: skip
_MORE_ADJECTIVES = (
    "Whole", "Ground", "Roasted", "Smoked", "Salted", "Unsalted", "Spicy", "Creamy", "Crunchy",
    "Rich", "Light", "Bold", "Strong", "Soft", "Raw", "Wild", "Italian", "French", "Swiss",
    "Alpine", "Country", "Garden", "Farm", "Village", "Homemade", "Traditional", "Finest", "Super",
    "Instant", "Quick", "Deluxe", "Special", "Real", "Simply", "Vanilla", "Lemon", "Ginger",
    "Cinnamon", "Gluten Free", "Low Fat", "Sugar Free", "Vegan", "Bio", "Mini", "Jumbo", "Red",
    "White", "Black", "Green", "Gold", "Winter", "Summer", "Breakfast", "Morning",
)  # fmt: skip
_LIST = """
able above across act add again air all alone also always angel animal answer apple april arm
art ask atlas august aunt autumn away baby back bad bag bake ball band bank bar barn base basket
bath bay beach bear beauty bed bee begin bell below bench best big bike bird black blue board
boat body bold book boot both bottle bowl box boy branch brave bread break bridge bright bring
broken brother brown brush build bus busy butter button buy cabin cake call calm camp can candle
car card care carry castle cat center chair change cheap check cherry child choice church circle
city class clean clear clock close cloud club coast coat code cold color come cook cool copper
corner cotton count country cover cream cross crown cup dance danger dark date dawn day deep
deer desk dinner doctor dog door double down dream dress drink drive drop dry duck early earth
east easy eat edge egg eight empty end engine enter evening every exit eye face fair fall farm
fast father feather field fine finger fire first fish five flag flat floor flower fly follow
food foot forest fork forward four fox free fresh friday friend frog front fruit full funny game
garden gate gift girl glass glove gold good grand grape grass gray great green ground group
guest half hall hammer hand happy harbor hard hat hazel head heart heat heavy hello help here
high hill hold holiday home hope horse hot hotel hour house ice idea inside iron island jacket
jazz join july jump june keep key kind king kitchen kite lady lake lamp land large last late
laugh leaf learn left lemon letter library light lily lime line lion list little live local lock
long look lost loud love low lucky lunch magic mail main make maple march market master may
meadow meat meet melon metal middle mint mirror monday money moon more morning mother mountain
mouse move museum music name near neck needle never new next nice night nine no noon north nose
note now number ocean off office oil old olive one only open orange order other our oven over
owl page paint pair palm paper park party past peach pear pen people pepper phone piano picture
pine pink place plain plane plant plate play please plum point pool post pot press price prince
private public pull purple push queen quick quiet rabbit rain read ready red rest return rice
right ring river road rock roof room rose round run sale salt sand saturday save school sea
second see sell send seven shadow sheep shell ship shirt shoe shop short show side sign silver
simple sing sister six sky sleep slow small smile smoke snow sofa soft song soon soup south
space special spice spring square stairs star start station stay steel step stone stop store
storm street strong sugar summer sun sunday super sweet swim table take tall taste taxi tea team
ten thank this three thursday ticket tiger time today tomorrow top total tower town toy track
train travel tree trip true tuesday turn twelve two uncle under up valley velvet very view
village violet visit voice wait walk wall warm warning wash watch water way week welcome well
west wet wheel white wide wild wind window wine winter wish wolf wood word work world yellow yes
you young zebra zero zone
"""
WORDS = tuple(_LIST.split())
"""Common English words, for print of any kind."""

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


def varied_brand(rng: random.Random) -> str:
    """One or two words, real or invented, in any case, with `&`, `'s` or a digit now and then."""
    kind = rng.random()
    if kind < 0.25:
        return any_brand(rng).lower() if rng.random() < 0.3 else any_brand(rng)
    if kind < 0.4:
        return cased(rng, rng.choice(WORDS))
    first, second = (_name_part(rng) for _ in range(2))
    if kind < 0.6:
        text = f"{first} & {second}"
    elif kind < 0.75:
        text = f"{first}'s"
    elif kind < 0.94:
        text = f"{first} {second}"
    else:
        text = f"{first} {rng.randint(1, 99)}"
    case = rng.random()
    return text.upper().replace("'S", "'s") if case < 0.35 else text.lower() if case > 0.9 else text


def _name_part(rng: random.Random) -> str:
    return rng.choice(WORDS).capitalize() if rng.random() < 0.6 else any_brand(rng).capitalize()


def cased(rng: random.Random, text: str) -> str:
    """The text in capitals, capitalised, or in small letters."""
    return rng.choice((text.upper(), text.title(), text.title(), text.capitalize(), text.lower()))


def varied_name(rng: random.Random) -> tuple[str, str]:
    """A product's name of up to four words and its category."""
    nouns = _MORE_NOUNS if rng.random() < 0.75 else NOUNS
    noun = rng.choice(tuple(nouns))
    kind = rng.random()
    first = ""
    if kind < 0.2:
        first = rng.choice(WORDS).capitalize()
    elif kind < 0.6:
        first = rng.choice(_MORE_ADJECTIVES if kind < 0.45 else ADJECTIVES)
    words = [] if first in noun.split() else [first]
    name = " ".join((*words, noun)).strip()
    return (name.upper() if rng.random() < 0.12 else name), nouns[noun]


def varied_weight(rng: random.Random) -> tuple[str, str]:
    """A weight, and how it is printed: `75 g`, `Net 75 g`."""
    weight = any_weight(rng)
    if rng.random() < 0.2:
        weight = rng.choice((f"{rng.randint(1, 9)} lb", f"{rng.randint(4, 40)} fl oz",
                             f"{rng.randint(5, 99)} g", f"{rng.randint(10, 75)} cl"))  # fmt: skip
    if rng.random() < 0.15:
        weight = weight.replace(" ", "", 1)
    before = rng.choice(("", "", "", "", "", "Net ", "NET WT ", "Net wt. ", "net ", "Net weight "))
    return weight, f"{before}{weight}" + (" e" if not before and rng.random() < 0.2 else "")


def open_line(rng: random.Random) -> str:
    """A line as shops, doors, notes and tickets have it."""
    words = rng.sample(WORDS, 4)
    kind = rng.random()
    if kind < 0.5:
        count = rng.choices((1, 2, 3, 4), (3, 4, 3, 2))[0]
        text = cased(rng, " ".join(words[:count]))
        return text + rng.choice(("", "", "", "", "", "!", "?", ".", ":"))
    if kind < 0.62:
        price = any_price(rng)
        return f"{cased(rng, ' '.join(words[: rng.choice((1, 1, 2))]))} {price}"
    if kind < 0.66:
        return f"{rng.randint(2, 5)} {rng.choice(('for', 'for', 'FOR'))} ${rng.randint(1, 20)}"
    if kind < 0.72:
        return _date(rng)
    if kind < 0.77:
        first, then = _time(rng), _time(rng)
        return rng.choice(
            (first, first, f"{first} - {then}", f"{first} {rng.choice(('am', 'pm'))}")
        )
    if kind < 0.81:
        return rng.choice((
            f"{rng.randint(100, 999)}-{rng.randint(0, 9999):04d}",
            f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(1000, 99999)}",
            f"({rng.randint(200, 999)}) {rng.randint(100, 999)}-{rng.randint(0, 9999):04d}",
        ))  # fmt: skip
    if kind < 0.85:
        return varied_weight(rng)[1]
    if kind < 0.89:
        return varied_brand(rng)
    if kind < 0.93:
        return varied_name(rng)[0]
    return rng.choice((
        f"{rng.randint(5, 70)}% OFF", f"No. {rng.randint(1, 999)}", f"{cased(rng, words[0])} "
        f"{rng.randint(1, 99)}", f"{words[0].title()} {words[1].title()} {rng.choice('ABCXYZ')}",
        f"{words[0].title()}: {rng.randint(1, 500)}", f"{words[0]} + {words[1]}",
        f"{rng.randint(1, 12)} x {words[0]}", f"{words[0].upper()}-{rng.randint(1, 99)}",
        f"{words[0].title()}, {words[1]}", f"{rng.randint(1, 99)} {words[0].title()} Street",
    ))  # fmt: skip


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1990, 2035)
    name = _MONTHS[month - 1]
    return rng.choice((
        f"{day:02d}.{month:02d}.{year}", f"{year}-{month:02d}-{day:02d}", f"{day} {name} {year}",
        f"{month}/{day}/{year}", f"{name} {day}", f"{day}.{month}.",
    ))  # fmt: skip


_MONTHS = ("Jan", "Feb", "March", "April", "May", "June", "July", "Aug", "Sept", "Oct", "Nov",
           "Dec")  # fmt: skip


def _time(rng: random.Random) -> str:
    return f"{rng.randint(0, 23)}:{rng.choice((0, 15, 30, 45, rng.randint(0, 59))):02d}"
