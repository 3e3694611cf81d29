"""Family 4: stylised chest phantoms, drawn and labelled as synthetic."""

import json
import random
from collections.abc import Callable, Iterator

from glm4v_tui.demo.questions.dialogue import Chain, Turn, alternatives, phrase, shuffled
from glm4v_tui.demo.scenes.chest import SIDES, TEXTURES, ChestFacts

_ADVICE = {"routine": "None.", "soon": "Compare later.", "urgent": "Review now."}
NODULE = (
    "<is there> [a|any] [nodule|lung nodule]<here>?",
    "Do you see [a|any] nodule?",
    "Does the [phantom|image|picture|lung] <show> a nodule?",
    "[Any nodule|Any nodules|Nodule|A nodule|Nodules|Nodule, yes or no]?",
    "Can [a|any] nodule be seen?",
    "Is a nodule [visible|present]<here>?",
    "Are there [any |]nodules<here>?",
    "<can you tell> [whether|if] there is a nodule?",
)
SIDE = (
    "Where is the nodule<here>?",
    "[On|In] [which|what] [side|lung] is the nodule?",
    "Which [lung|side] has the nodule?",
    "Is the nodule [on the left or on the right|left or right|on the left or right side]?",
    "Where's the nodule?",
    "[Side|Position|Place|Location] of the nodule?",
    "<what is> the [side|position|location] of the nodule?",
    "<can you tell> where the nodule is?",
    "Nodule: left or right?",
)
SIZE = (
    "How [large|big] is the nodule<here>?",
    "What size [is|has] the nodule?",
    "<what is> the size of the nodule?",
    "Is the nodule [small, medium or large|small or large|big or small]?",
    "[Size of the nodule|Nodule size]?",
    "<can you tell> how [big|large] the nodule is?",
)
EFFUSION = (
    "<is there> [an|a pleural|any] effusion<here>?",
    "Do you see [an|any] effusion?",
    "[Any effusion|Effusion|Any fluid|Fluid|Pleural effusion|An effusion]?",
    "<is there> [any |]fluid<here>?",
    "Does the [phantom|image|picture] <show> an effusion?",
    "Is an effusion [visible|present]?",
    "Can [an|any] effusion be seen?",
    "<can you tell> [whether|if] there is an effusion?",
)
TEXTURE = (
    "<what is> the [lung |]texture<here>?",
    "[What|Which] texture do the lungs [have|show]?",
    "Describe the [lung |]texture.",
    "[Texture|Lung texture|The texture|Texture of the lungs]?",
    "<can you tell> the lung texture?",
    "How does the lung texture look?",
    "[What|Which] [kind|type] of texture is [it|this]?",
)
ADVICE = "I cannot give medical advice. This is a synthetic phantom, not a patient."


def ask_chest(rng: random.Random, facts: ChestFacts) -> list[Chain]:
    """Questions about one phantom, in random order."""
    return [ask(rng, facts) for ask in shuffled(rng, _ASKED, 14)]


def chest_json(facts: ChestFacts) -> str:
    """The report as the medical task reads it."""
    return json.dumps(
        {
            "findings": list(_findings(facts)),
            "texture": facts.texture,
            "impression": impression(facts),
            "recommendation": _ADVICE[facts.urgency],
            "urgency": facts.urgency,
        }
    )


def _findings(facts: ChestFacts) -> Iterator[dict[str, str | None]]:
    if facts.nodule_side:
        yield _finding("nodule", "lung", facts.nodule_side, facts.nodule_size)
    if facts.effusion:
        yield _finding("effusion", "lung base", facts.effusion, None)
    if facts.texture != "clear":
        yield _finding(f"{facts.texture} texture", "lungs", "both", None)


def _finding(what: str, where: str, side: str, size: str | None) -> dict[str, str | None]:
    return {"what": what, "where": where, "side": side, "size": size, "certainty": "certain"}


def impression(facts: ChestFacts) -> str:
    """One line that sums the findings up."""
    findings = []
    if facts.nodule_side:
        findings.append(f"{facts.nodule_size} nodule on the {facts.nodule_side}")
    if facts.effusion:
        findings.append(f"effusion on the {facts.effusion}")
    if facts.texture != "clear":
        findings.append(f"{facts.texture} texture")
    return f"Synthetic phantom: {', '.join(findings) or 'normal'}."


def _nodule(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(rng, NODULE)
    if rng.random() < 0.2:
        return (
            Turn(
                "chest nodule",
                f"{question} {phrase(rng, '<yes or no>')}",
                "Yes" if facts.nodule_side else "No",
            ),
        )
    if not facts.nodule_side:
        return (Turn("chest nodule", question, "No, there is no nodule."),)
    first = Turn(
        "chest nodule",
        question,
        f"Yes, there is a {facts.nodule_size} nodule on the {facts.nodule_side}.",
    )
    if rng.random() < 0.5:
        return (first,)
    follow = rng.choice(
        (
            Turn(
                "chest side",
                phrase(
                    rng,
                    "[Where is it?|On which side?|Which side?|Left or right?|Where?|And where?]",
                ),
                _sided("nodule", facts.nodule_side),
            ),
            Turn(
                "chest size",
                phrase(
                    rng,
                    "[How large is it?|How big?|And its size?|How big is it?|Size?|And how large?]",
                ),
                _sized(facts),
            ),
        )
    )
    return first, follow


def _sided(finding: str, side: str) -> str:
    return f"The {finding} is on the {side} side of the image."


def _sized(facts: ChestFacts) -> str:
    return f"The nodule is {facts.nodule_size}."


def _nodule_side(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(rng, SIDE)
    if not facts.nodule_side:
        return (Turn("chest absent", question, "There is no nodule in the image."),)
    return (Turn("chest side", question, _sided("nodule", facts.nodule_side)),)


def _nodule_size(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(rng, SIZE)
    if not facts.nodule_side:
        return (Turn("chest absent", question, "There is no nodule in the image."),)
    return (Turn("chest size", question, _sized(facts)),)


def _effusion(rng: random.Random, facts: ChestFacts) -> Chain:
    if rng.random() < 0.35:
        question = phrase(
            rng,
            "[Where is the effusion<here>?|On [which|what] side is the [effusion|fluid]?|"
            "Which side is the [fluid|effusion] on?|Where's the effusion?|"
            "[Side|Location] of the effusion?|"
            "Is the effusion on the left or on the right?|Effusion: left or right?]",
        )
        if not facts.effusion:
            return (Turn("chest absent", question, "There is no effusion in the image."),)
        return (Turn("chest effusion", question, _sided("effusion", facts.effusion)),)
    question = phrase(rng, EFFUSION)
    if not facts.effusion:
        return (Turn("chest effusion", question, "No, there is no effusion."),)
    return (
        Turn("chest effusion", question, f"Yes, there is an effusion on the {facts.effusion}."),
    )


def _effusion_at(rng: random.Random, facts: ChestFacts) -> Chain:
    side = rng.choice(SIDES)
    question = phrase(
        rng,
        "[<is there> an effusion|Any effusion|Is the effusion|Do you see fluid] on the {side}?",
        side=side,
    )
    if facts.effusion == side:
        return (Turn("chest effusion", question, f"Yes, there is an effusion on the {side}."),)
    return (Turn("chest effusion", question, f"No, there is no effusion on the {side}."),)


def _texture(rng: random.Random, facts: ChestFacts) -> Chain:
    by = rng.random()
    if by < 0.4:
        named = rng.choice(TEXTURES)
        question = phrase(
            rng,
            "Is the [lung |]texture {named}?"
            if named != "clear" or rng.random() < 0.3
            else "[Are the lungs clear|Are both lungs clear|Lungs clear|Clear lungs]?",
            named=named,
        )
        opening = "Yes" if named == facts.texture else "No"
        return (Turn("chest texture", question, f"{opening}, the texture is {facts.texture}."),)
    if by < 0.5:
        question = phrase(
            rng,
            "[Is the texture {options}|Texture: {options}|{options}]?",
            options=alternatives(rng, facts.texture, TEXTURES),
        )
    else:
        question = phrase(rng, TEXTURE)
    return (Turn("chest texture", question, f"The texture is {facts.texture}."),)


def _normal(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(
        rng,
        (
            "Is [this|the image|the phantom|it|the picture|everything] [normal|ok|fine]?",
            "Is [anything|something] [abnormal|wrong|unusual]<here>?",
            "Are there any [findings|abnormalities]<here>?",
            "<what is> the [impression|result|finding|overall impression]?",
            "What are the findings<here>?",
            "Give the [impression|findings].",
            "[Summarize|Summarise|List|Name] the findings.",
            "[Normal|Findings|Any findings|Impression|Anything abnormal|Normal or abnormal|"
            "Abnormal|Findings, please|All normal]?",
            "What do you find?",
            "[What|Which] findings <visible>?",
            "<can you tell> the [findings|impression]?",
        ),
    )
    return (Turn("chest findings", question, impression(facts)),)


def _is_normal(rng: random.Random, facts: ChestFacts) -> Chain:
    if rng.random() < 0.5:
        question = phrase(rng, "Is [the image|the phantom|this|it] normal? <yes or no>")
        return (Turn("chest findings", question, "Yes" if facts.normal else "No"),)
    question = phrase(rng, "[Is anything abnormal|Any findings|Anything abnormal]? <yes or no>")
    return (Turn("chest findings", question, "No" if facts.normal else "Yes"),)


def _describe(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(
        rng,
        (
            "Describe [the|this] [image|picture|phantom|photo].",
            "What [do|can] you see[ here|]?",
            "What does the <picture> show?",
            "<what is> this?",
            "Describe what you see.",
            "<what is> in the <picture>?",
            "Tell me about this <picture>.",
            "[Write|Give me] a report.",
            "What [kind|type] of image is this?",
            "[Report|Report, please|Full report|Short report].",
            "What can be seen<here>?",
        ),
    )
    nodule = (
        f"a {facts.nodule_size} nodule on the {facts.nodule_side}"
        if facts.nodule_side
        else "no nodule"
    )
    effusion = f"an effusion on the {facts.effusion}" if facts.effusion else "no effusion"
    text = (
        f"This is a synthetic chest phantom with {nodule}, {effusion} and {facts.texture} texture."
    )
    return (Turn("chest describe", question, text),)


def _json(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(
        rng,
        (
            "[Report|Give|Return|List] [the|all] findings <json>.",
            "Read the image[ and|,] [answer|reply] in JSON.",
            "[Describe|Report] the [phantom|image] <json>.",
            "Give [me |]the report as JSON.",
            "Report nodule, effusion, texture and impression as JSON.",
            "JSON report of the chest image, please.",
            "[JSON report|Findings as JSON|Report as JSON|Report in JSON, please].",
        ),
    )
    return (Turn("chest json", question, chest_json(facts)),)


def _patient(rng: random.Random, facts: ChestFacts) -> Chain:  # noqa: ARG001
    if rng.random() < 0.5:
        question = phrase(
            rng,
            "[Is [this|it] a real [patient|x-ray|person|scan|chest]?|Is [this|it] real?|"
            "Is [it|this] a [patient|person]?]",
        )
        return (Turn("chest honest", question, "No, this is a synthetic phantom, not a patient."),)
    question = phrase(
        rng,
        "[Should [I|the patient] [see a doctor|take medicine|be worried]?|What [disease|illness] "
        "is it?|Is it [cancer|dangerous]?|"
        "What treatment do you [recommend|suggest]?|What is the diagnosis?]",
    )
    return (Turn("chest honest", question, ADVICE),)


def _both(rng: random.Random, facts: ChestFacts) -> Chain:
    """Nodule and effusion, or side and size of the nodule, at once."""
    if rng.random() < 0.5:
        question = phrase(
            rng,
            (
                "Nodule and effusion?",
                "Is there a nodule or an effusion<here>?",
                "[Nodule or effusion|Any nodule or effusion|Nodule, effusion]?",
                "Do you see a nodule or [an effusion|fluid]?",
                "What about nodule and effusion?",
            ),
        )
        return (Turn("chest two facts", question, f"There is {_seen(facts)}."),)
    question = phrase(
        rng,
        "[<what is> the size and side of the nodule|Size and side of the nodule|"
        "Where is the nodule and how [big|large] is it|How big is the nodule and where is it|"
        "Nodule: size and side|"
        "Side and size of the nodule]?",
    )
    if not facts.nodule_side:
        return (Turn("chest absent", question, "There is no nodule in the image."),)
    answer = f"The nodule is {facts.nodule_size} and on the {facts.nodule_side} side of the image."
    return (Turn("chest two facts", question, answer),)


def _seen(facts: ChestFacts) -> str:
    nodule = (
        f"a {facts.nodule_size} nodule on the {facts.nodule_side}"
        if facts.nodule_side
        else "no nodule"
    )
    effusion = f"an effusion on the {facts.effusion}" if facts.effusion else "no effusion"
    return f"{nodule} and {effusion}"


_ASKED: dict[Callable[[random.Random, ChestFacts], Chain], int] = {
    _nodule: 4,
    _nodule_side: 3,
    _nodule_size: 3,
    _effusion: 4,
    _effusion_at: 1,
    _texture: 3,
    _normal: 3,
    _is_normal: 2,
    _describe: 2,
    _json: 2,
    _patient: 1,
    _both: 2,
}
