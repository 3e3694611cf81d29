"""How long a key waits for what it does."""

import pytest
from textual import _wait


@pytest.fixture(autouse=True, scope="session")
def short_waits():
    """Textual's pilot takes the app for idle when it has computed nothing for 20 ms, twice for
    each key. The tests wait for what they want to see, so a shorter look will do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_wait, "SLEEP_GRANULARITY", 1 / 200)
        patch.setattr(_wait, "SLEEP_IDLE", 1 / 4000)
        yield
