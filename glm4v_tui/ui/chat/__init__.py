"""The chat screen in parts, each for one concern; ``ui.screens.chat`` puts them together.

They are one conductor: every part may use what ``base`` holds, and none knows another but by the
class it builds on.
"""
