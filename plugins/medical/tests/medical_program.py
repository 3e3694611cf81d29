"""The program started as a user does, with the answers of a script or of the embedded model."""

import os
import subprocess
import sys

import msgspec
import tomli_w


def ask(home, *arguments, script=None):
    """``glm4v-tui ask`` to its end; a report, or a text, as the model's answer."""
    command = [sys.executable, "-m", "glm4v_tui", "ask", *map(str, arguments)]
    if script is not None:
        text = script if isinstance(script, str) else msgspec.json.encode(script).decode()
        answer = {"text": text, "tokens_per_s": 1e6}
        played = home / "script.toml"
        played.write_text(tomli_w.dumps({"answers": [answer]}))
        command += ["--scripted", str(played)]
    environ = {
        "HOME": str(home),
        "GLM4V_TUI_HOME": str(home / "state of the program"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
    }
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=100)
