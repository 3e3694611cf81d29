"""``glm4v-tui doctor``: is this machine fit to chat, and if not, what to do."""

from __future__ import annotations

import click

from glm4v_tui import doctor
from glm4v_tui.ui.self_check import interface_checks


def run(*, as_json: bool, model: str | None) -> int:
    """Print the findings; 0 when fit to chat."""
    findings = doctor.run_checks(model, interface_checks())
    click.echo(doctor.as_json(findings) if as_json else doctor.as_text(findings))
    return doctor.exit_code(findings)
