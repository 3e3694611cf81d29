"""Where this program keeps its files (the XDG directories, through platformdirs).

``GLM4V_TUI_HOME`` puts all of them under one folder, which tests and portable installs use.
"""

import os
from pathlib import Path

APP = "glm4v-tui"


def _home() -> Path | None:
    value = os.environ.get("GLM4V_TUI_HOME")
    return Path(value).expanduser() if value else None


def config_dir() -> Path:
    """Files that the user writes: ``config.toml``, ``keymap.toml``, ``themes/``."""
    home = _home()
    if home is not None:
        return home / "config"
    from platformdirs import user_config_path

    return user_config_path(APP)


def state_dir() -> Path:
    """Files that the program writes and may lose: last folder, prompt history, logs."""
    home = _home()
    if home is not None:
        return home / "state"
    from platformdirs import user_state_path

    return user_state_path(APP)


def data_dir() -> Path:
    """What must not be lost: the database."""
    home = _home()
    if home is not None:
        return home / "data"
    from platformdirs import user_data_path

    return user_data_path(APP)


def cache_dir() -> Path:
    """What can be made again at any time, and may be large: quantized weights."""
    home = _home()
    if home is not None:
        return home / "cache"
    from platformdirs import user_cache_path

    return user_cache_path(APP)


def config_file() -> Path:
    return config_dir() / "config.toml"


def keymap_file() -> Path:
    return config_dir() / "keymap.toml"


def user_themes_dir() -> Path:
    return config_dir() / "themes"


def user_tasks_dir() -> Path:
    """The user's own tasks, a TOML file each."""
    return config_dir() / "tasks"


def database_file() -> Path:
    """Conversations, results, verdicts."""
    return data_dir() / "glm4v-tui.sqlite3"


def state_file() -> Path:
    return state_dir() / "state.toml"


def remembered_plugins_file() -> Path:
    """What ``plugin install`` has installed, to do it again in another environment."""
    return state_dir() / "plugins.toml"


def log_dir() -> Path:
    return state_dir() / "log"


def worker_log_file() -> Path:
    """What the model process prints, one file for each interface process."""
    return log_dir() / f"worker-{os.getpid()}.log"


def expanded(name: str) -> Path:
    """A name as the user writes it, ``~`` put in full where there is such a home."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - Path's raises for an unknown user


def is_there(path: Path) -> bool:
    """Whether a path exists; a name that no file can have (too long, say) does not."""
    return os.path.exists(path)  # noqa: PTH110 - Path's raises for such names


def is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - for the same reason


def existing_parent(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(one for one in (path, *path.absolute().parents) if is_folder(one))


def shipped_dir(name: str) -> Path:
    """A folder of the top level (``themes``): inside the wheel, or at the top of a source tree."""
    package = Path(__file__).parent
    packed = package / "_shipped" / name
    return packed if packed.is_dir() else package.parent / name
