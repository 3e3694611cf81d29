"""The form of a report. Every text is bounded: a report is read, not scrolled."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Side = Literal["left", "right", "both", "none"]
Certainty = Literal["certain", "likely", "possible"]
Urgency = Literal["routine", "soon", "urgent"]


class Finding(msgspec.Struct, frozen=True):
    """Something that is not normal."""

    what: Annotated[str, Meta(max_length=48, description="nodule, effusion, ...")]
    where: Annotated[str, Meta(max_length=48, description="the place in the body")]
    side: Annotated[Side, Meta(description="of the image as it is seen; none for the middle")]
    size: (
        Annotated[str, Meta(max_length=24, description="as far as the image tells it, else null")]
        | None
    )
    certainty: Certainty


class Report(msgspec.Struct, frozen=True):
    findings: Annotated[
        list[Finding], Meta(max_length=8, description="only what is there; empty when normal")
    ]
    texture: Annotated[str, Meta(max_length=60, description="of the lungs, or of the tissue")]
    impression: Annotated[str, Meta(max_length=240, description="the findings summed up")]
    recommendation: Annotated[str, Meta(max_length=160, description="what to do next")]
    urgency: Urgency
