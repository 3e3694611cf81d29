"""The model hub and its cache on this host, by huggingface_hub: fetching, checking, removing.

The library's own settings count: ``HF_HOME``, ``HF_ENDPOINT`` (a mirror), ``HF_TOKEN``,
``HF_HUB_OFFLINE``. The cache is in its layout, so whatever else uses it finds the files. The
library is imported when one of these functions runs, and no model library ever is.
"""

from glm4v_tui.hub.cache import CachedModel, CachedRevision, cache_folder, cached_models
from glm4v_tui.hub.pulling import Pulled, Pulling, look_ahead, pull
from glm4v_tui.hub.remote import RemoteFile, Repository, hub_json, look_up
from glm4v_tui.hub.removing import remove_model
from glm4v_tui.hub.selection import wanted_files
from glm4v_tui.hub.transfer import Stopped
from glm4v_tui.hub.verifying import FileState, VerifiedFile, verify_folder

__all__ = [
    "CachedModel",
    "CachedRevision",
    "FileState",
    "Pulled",
    "Pulling",
    "RemoteFile",
    "Repository",
    "Stopped",
    "VerifiedFile",
    "cache_folder",
    "cached_models",
    "hub_json",
    "look_ahead",
    "look_up",
    "pull",
    "remove_model",
    "verify_folder",
    "wanted_files",
]
