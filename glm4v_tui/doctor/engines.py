"""What the settings say of engines elsewhere, as far as it can be told without asking them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.doctor.finding import SETTINGS, Finding, Status
from glm4v_tui.engine_settings import all_engines, engines_named
from glm4v_tui.errors import SettingsError, UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.toml_file import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from glm4v_tui.engine_settings import RemoteSettings


def check(chosen: str) -> Iterator[Finding]:
    """Engines that are named and are not there, addresses that are none, certificates that cannot
    be read. Of a file that cannot be read at all another check tells.

    Args:
        chosen: ``[model] engine``: without these, nobody can chat.
    """
    try:
        engines = all_engines()
    except SettingsError:
        return
    names = [name.strip() for name in chosen.split(",")] if chosen else []
    if chosen:
        yield from _chosen(chosen, names, engines)
    for name, told in engines.items():
        status = Status.FAIL if name in names else Status.WARN
        yield from _address(name, told, status)
        yield from _certificates(name, told, status)


def _chosen(
    chosen: str, names: list[str], engines: Mapping[str, RemoteSettings]
) -> Iterator[Finding]:
    if unknown := [name for name in names if name not in engines]:
        hints = (
            f"there is no engine {_quoted(one)}{did_you_mean(one, engines)}" for one in unknown
        )
        yield Finding(
            SETTINGS,
            "model.engine",
            Status.FAIL,
            f"model.engine: {', '.join(hints)}",
            "Correct the name, or write [engines.NAME] with url and model.",
        )
        return
    try:
        engines_named(chosen)
    except UsageError as error:
        told = f"{error.title}: {error.body}"
        yield Finding(SETTINGS, "model.engine", Status.FAIL, told, error.remedy)


def _address(name: str, told: RemoteSettings, status: Status) -> Iterator[Finding]:
    from glm4v_tui.engine.remote.address import Address

    try:
        Address.of(told.url, told.proxy)
    except SettingsError as error:
        yield _finding(name, status, f"{error.title}: {error.body}", error.remedy)


def _certificates(name: str, told: RemoteSettings, status: Status) -> Iterator[Finding]:
    if told.tls in ("verify", "off"):
        return
    import ssl

    path = Path(told.tls).expanduser()
    try:
        if not path.is_dir():
            ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:  # an SSLError is an OSError, too
        yield _finding(
            name,
            status,
            f"The certificates in tls = cannot be read: {path}: {error}",
            "Name a PEM file or a folder of them, or write verify or off.",
        )


def _finding(name: str, status: Status, told: str, remedy: str) -> Finding:
    return Finding(SETTINGS, f"engines.{plain_line(name)}", status, plain_line(told), remedy)


def _quoted(name: str) -> str:
    return f'"{plain_line(name)}"'
