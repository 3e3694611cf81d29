"""The key that a server wants to be shown: from the environment or the system's keyring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glm4v_tui.engine_settings import RemoteSettings

SERVICE = "glm4v-tui"
"""Under which the keyring has this program's keys."""


def key_of(settings: RemoteSettings, environment: Mapping[str, str]) -> str:
    """The key; empty where the server wants none. The keyring may ask the user to unlock it: this
    blocks.

    Raises:
        SettingsError: it is not where the settings say.
    """
    if settings.api_key_env:
        return _from_environment(settings, environment)
    return _from_keyring(settings) if settings.api_key_keyring else ""


def _from_environment(settings: RemoteSettings, environment: Mapping[str, str]) -> str:
    variable = settings.api_key_env
    key = environment.get(variable, "").strip()
    if not _is_key(key):
        raise _missing(
            settings,
            f"The environment variable {plain_line(variable)} is not set, or holds no key.",
            "Set it in the shell that starts this program.",
        )
    return key


def _from_keyring(settings: RemoteSettings) -> str:
    name = plain_line(settings.api_key_keyring)
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise _missing(
            settings,
            "It is in the system's keyring, which this program cannot read as it is installed.",
            "Install it with pip install 'glm4v-tui[keyring]', or name an environment variable as "
            "api_key_env.",
        ) from error
    try:
        key = (keyring.get_password(SERVICE, settings.api_key_keyring) or "").strip()
    except KeyringError as error:
        raise _missing(
            settings,
            f"The keyring does not open: {plain_line(str(error)).rstrip('.')}.",
            "Unlock it, or name an environment variable as api_key_env.",
        ) from error
    if not _is_key(key):
        raise _missing(
            settings,
            f"The keyring has no key of the name {name}.",
            f"keyring set {SERVICE} {name} asks for it and keeps it.",
        )
    return key


def _is_key(key: str) -> bool:
    return bool(key) and key.isascii() and key.isprintable()


def _missing(settings: RemoteSettings, why: str, remedy: str) -> SettingsError:
    return SettingsError(f"The key for {plain_line(settings.url)} is missing", why, remedy)
