"""Where a server is: its host, whether that is this machine, and what lies between."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from glm4v_tui.errors import SettingsError
from glm4v_tui.plain import plain_line

_VERSION = re.compile(r"/v\d+[a-z0-9]*$")
_ASKED = "/chat/completions"


@dataclass(frozen=True)
class Address:
    """A server's place.

    Raises:
        SettingsError: by :meth:`of`, where a URL or a proxy is none.
    """

    base: str
    """What ``/chat/completions`` is added to; a URL that has it already is taken without."""
    root: str
    """Scheme, host and port: what belongs to the server but not to the interface."""
    host: str
    """Name or address, lower case, without brackets and port."""
    port: int
    is_loopback: bool
    is_encrypted: bool
    proxy: str | None
    """The URL of a proxy in between; None for a direct way. Never for this machine."""

    @classmethod
    def of(cls, url: str, proxy: str = "auto") -> Address:
        parts = _split(url)
        host = (parts.hostname or "").lower()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        shown = f"[{host}]" if ":" in host else host
        root = f"{parts.scheme}://{shown}:{port}"
        path = parts.path.rstrip("/").removesuffix(_ASKED).rstrip("/")
        base = root + (path or "/v1")
        is_loopback = names_this_machine(host)
        between = None if is_loopback else _proxy_to(parts.scheme, host, port, proxy)
        return cls(base, root, host, port, is_loopback, parts.scheme == "https", between)

    @property
    def shown(self) -> str:
        """The host, and its port where that is not the usual one; safe to show."""
        host = plain_line(f"[{self.host}]" if ":" in self.host else self.host)
        return host if self.port in (80, 443) else f"{host}:{self.port}"

    @property
    def proxy_host(self) -> str | None:
        """The proxy's host, safe to show: its URL may hold a password."""
        return None if self.proxy is None else plain_line(urlsplit(self.proxy).hostname or "?")

    @property
    def exposed_to(self) -> str | None:
        """A proxy that reads what passes, as nothing encrypts it."""
        return None if self.is_encrypted else self.proxy_host

    @property
    def has_version(self) -> bool:
        """The path ends as an interface's does: ``/v1``."""
        return _VERSION.search(urlsplit(self.base).path) is not None

    def is_same_server(self, url: str) -> bool:
        """Whether a URL leads to this very server, or to it by an encrypted way."""
        try:
            there = Address.of(url)
        except SettingsError:
            return False
        is_safer = there.is_encrypted and not self.is_encrypted
        same_door = (there.port, there.is_encrypted) == (self.port, self.is_encrypted)
        return there.host == self.host and (same_door or is_safer)


def names_this_machine(host: str) -> bool:
    """Whether a name or an address can only be this machine: a name that merely leads here today
    is not taken for it."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = None
    if not good:
        raise _no_url("The server's URL is none", url)
    if parts.username or parts.password:
        raise SettingsError(
            "The server's URL holds a password",
            plain_line(parts.hostname or ""),
            "Put it into an environment variable, and name that in api_key_env.",
        )
    return parts


def _proxy_to(scheme: str, host: str, port: int, wanted: str) -> str | None:
    if wanted == "off":
        return None
    if wanted == "auto":
        if urllib.request.proxy_bypass_environment(f"{host}:{port}"):  # type: ignore[attr-defined]
            return None
        known = urllib.request.getproxies_environment()
        wanted = known.get(scheme) or known.get("all") or ""
        if not wanted:
            return None
        wanted = wanted if "://" in wanted else f"http://{wanted}"
    parts = urlsplit(wanted)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_url("The proxy's URL is none", f"{parts.scheme}://{parts.hostname or ''}")
    return wanted


def _no_url(title: str, url: str) -> SettingsError:
    return SettingsError(
        title, plain_line(url), "Write http://HOST:PORT or https://HOST, IPv6 in brackets."
    )
