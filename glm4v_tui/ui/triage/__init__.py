"""The triage screen in parts, each for one concern; ``ui.screens.triage`` puts them together."""
