"""The least that a Textual app can be: what the first frame of the program is compared with."""

from textual.app import App, ComposeResult
from textual.widgets import Static

READY = "An empty app"


class EmptyApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Static(READY)


if __name__ == "__main__":
    EmptyApp().run()
