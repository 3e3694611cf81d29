"""Where a server's key comes from, and what is said when it is not there."""

import sys

import pytest

from glm4v_tui.engine.protocol import Failed
from glm4v_tui.engine.remote.keys import SERVICE, key_of
from glm4v_tui.engine_settings import RemoteSettings
from glm4v_tui.errors import SettingsError

keyring = pytest.importorskip("keyring")


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory; locked where it is None."""

    priority = 1

    def __init__(self, kept):
        super().__init__()
        self.kept = kept

    def get_password(self, service, username):
        if self.kept is None:
            raise keyring.errors.KeyringLocked("it is locked")
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]


@pytest.fixture
def ring():
    before = keyring.get_keyring()
    yield lambda kept: keyring.set_keyring(Ring(kept))
    keyring.set_keyring(before)


def told(**keys):
    return RemoteSettings("https://gpu.example", "m", **keys)


def test_no_key_is_looked_for_where_none_is_named():
    assert key_of(told(), {"OPENAI_API_KEY": "sk"}) == ""


async def test_the_key_comes_from_the_keyring(server, person_at, ring):
    ring({(SERVICE, "cluster"): "sk-of-mine"})
    person = person_at(server.url, api_key_keyring="cluster")
    await person.load()
    await person.ask()
    assert {one.headers["authorization"] for one in server.arrived} == {"Bearer sk-of-mine"}


@pytest.mark.parametrize(
    ("kept", "why", "remedy"),
    [
        ({}, "no key of the name cluster", "keyring set glm4v-tui cluster"),
        ({(SERVICE, "cluster"): " \n"}, "no key of the name", "keyring set"),
        (None, "it is locked", "Unlock it"),
    ],
)
def test_a_key_that_is_not_there_says_how_to_put_it_there(ring, kept, why, remedy):
    ring(kept)
    with pytest.raises(SettingsError) as caught:
        key_of(told(api_key_keyring="cluster"), {})
    assert why in caught.value.body
    assert remedy in caught.value.remedy


async def test_without_the_package_the_remedy_is_to_install_it(server, person_at, monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    failed = await person_at(server.url, api_key_keyring="cluster").load()
    assert isinstance(failed, Failed)
    assert "glm4v-tui[keyring]" in failed.remedy
    assert server.arrived == []


def test_the_environment_comes_first(ring):
    ring({(SERVICE, "cluster"): "other"})
    settings = told(api_key_env="KEY", api_key_keyring="cluster")
    assert key_of(settings, {"KEY": "sk"}) == "sk"
