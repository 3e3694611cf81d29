"""Family 4: stylised chest phantoms, drawn and labelled as synthetic."""

import json
import random
from collections.abc import Callable, Iterator

from glm4v_tui.demo.questions.dialogue import Chain, Turn, phrase, shuffled
from glm4v_tui.demo.scenes.chest import SIDES, ChestFacts

_ADVICE = {"routine": "None.", "soon": "Compare later.", "urgent": "Review now."}
ADVICE = "I cannot give medical advice. This is a synthetic phantom, not a patient."


def ask_chest(rng: random.Random, facts: ChestFacts) -> list[Chain]:
    """Questions about one phantom, in random order."""
    return [ask(rng, facts) for ask in shuffled(rng, _ASKED, 13)]


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
    question = phrase(
        rng,
        "[Is there a [nodule|lung nodule]?|Do you see [a|any] nodule?|Does the [phantom|image|"
        "lung] [show|have] a nodule?|"
        "Any nodule?|Can you see a nodule?]",
    )
    if rng.random() < 0.2:
        return (
            Turn(
                "chest nodule",
                f"{question} Answer yes or no.",
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
                phrase(rng, "[Where is it?|On which side?|Which side?]"),
                _sided("nodule", facts.nodule_side),
            ),
            Turn(
                "chest size",
                phrase(rng, "[How large is it?|How big?|And its size?]"),
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
    question = phrase(
        rng,
        "[Where is the nodule?|On which side is the nodule?|Which lung has the nodule?|"
        "Is the nodule on the left or on the right?]",
    )
    if not facts.nodule_side:
        return (Turn("chest absent", question, "There is no nodule in the image."),)
    return (Turn("chest side", question, _sided("nodule", facts.nodule_side)),)


def _nodule_size(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(
        rng,
        "[How [large|big] is the nodule?|What size is the nodule?|What is the size of the nodule?]",
    )
    if not facts.nodule_side:
        return (Turn("chest absent", question, "There is no nodule in the image."),)
    return (Turn("chest size", question, _sized(facts)),)


def _effusion(rng: random.Random, facts: ChestFacts) -> Chain:
    if rng.random() < 0.35:
        question = phrase(
            rng,
            "[Where is the effusion?|On which side is the effusion?|Which side is the fluid on?]",
        )
        if not facts.effusion:
            return (Turn("chest absent", question, "There is no effusion in the image."),)
        return (Turn("chest effusion", question, _sided("effusion", facts.effusion)),)
    question = phrase(
        rng,
        "[Is there [an|a pleural] effusion?|Do you see an effusion?|Any effusion?|Is there fluid?|"
        "Does the [phantom|image] show an effusion?]",
    )
    if not facts.effusion:
        return (Turn("chest effusion", question, "No, there is no effusion."),)
    return (
        Turn("chest effusion", question, f"Yes, there is an effusion on the {facts.effusion}."),
    )


def _effusion_at(rng: random.Random, facts: ChestFacts) -> Chain:
    side = rng.choice(SIDES)
    question = f"Is there an effusion on the {side}?"
    if facts.effusion == side:
        return (Turn("chest effusion", question, f"Yes, there is an effusion on the {side}."),)
    return (Turn("chest effusion", question, f"No, there is no effusion on the {side}."),)


def _texture(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(
        rng,
        "[What is the [lung|] texture?|What texture do the lungs have?|Are the lungs clear?|"
        "Describe the lung texture.|"
        "Is the texture [clear|reticular|ground glass]?]",
    )
    named = "clear" if question == "Are the lungs clear?" else None
    if question.startswith("Is the texture"):
        named = question.removeprefix("Is the texture ").rstrip("?")
    if named is not None:
        opening = "Yes" if named == facts.texture else "No"
        return (Turn("chest texture", question, f"{opening}, the texture is {facts.texture}."),)
    return (Turn("chest texture", question, f"The texture is {facts.texture}."),)


def _normal(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(
        rng,
        "[Is [this|the image|the phantom|it] normal?|Is anything abnormal?|Are there any findings?|"
        "What is the impression?|What are the findings?|Give the impression.|Summarize the "
        "findings.]",
    )
    return (Turn("chest findings", question, impression(facts)),)


def _is_normal(rng: random.Random, facts: ChestFacts) -> Chain:
    if rng.random() < 0.5:
        question = phrase(rng, "Is the [image|phantom] normal? Answer yes or no.")
        return (Turn("chest findings", question, "Yes" if facts.normal else "No"),)
    question = "Is anything abnormal? Answer yes or no."
    return (Turn("chest findings", question, "No" if facts.normal else "Yes"),)


def _describe(rng: random.Random, facts: ChestFacts) -> Chain:
    question = phrase(
        rng,
        "[Describe [the|this] [image|picture|phantom].|What do you see[ here|]?|What does the "
        "image show?|What is this?|"
        "Describe what you see.|What is in the picture?|Tell me about this image.|Write a report.]",
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
        "[[Report|Give|Return|List] the findings [as|in] JSON.|Read the image[ and|,] [answer|"
        "reply] in JSON.|"
        "[Describe|Report] the [phantom|image] [as|in] JSON.|Give the report as JSON.|"
        "Report nodule, effusion, texture and impression as JSON.|JSON report of the chest image, "
        "please.]",
    )
    return (Turn("chest json", question, chest_json(facts)),)


def _patient(rng: random.Random, facts: ChestFacts) -> Chain:  # noqa: ARG001
    if rng.random() < 0.5:
        question = phrase(
            rng, "[Is this a real [patient|x-ray|image|person]?|Is this real?|Is it a patient?]"
        )
        return (Turn("chest honest", question, "No, this is a synthetic phantom, not a patient."),)
    question = phrase(
        rng,
        "[Should [I|the patient] [see a doctor|take medicine|be worried]?|What [disease|illness] "
        "is it?|Is it [cancer|dangerous]?|"
        "What treatment do you [recommend|suggest]?|What is the diagnosis?]",
    )
    return (Turn("chest honest", question, ADVICE),)


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
}
