"""The errors a user can meet. Each carries a title, a body (the reason) and a remedy.

GlmError                        exit code
├── UsageError                  2    wrong arguments or settings
│   └── SettingsError           2    a settings, keymap or theme file is wrong
├── ImageError                  3    a file that cannot be shown to the model
│   ├── ImageMissingError
│   ├── ImageForbiddenError
│   ├── NotAnImageError
│   ├── ImageTruncatedError
│   ├── ImageTooLargeError
│   └── ImageChangedError
├── EngineError                 4    the model or the process that runs it failed
│   ├── NoModelError
│   ├── CheckpointError
│   ├── OutOfMemoryError
│   ├── WorkerDiedError
│   ├── WorkerSilentError
│   ├── ServerError                  a server elsewhere failed, or cannot be reached
│   └── WithheldError                what was asked does not leave this machine
├── TaskError                   5    a task or the plugin that brings it
│   ├── PluginError                  the plugin's own code failed, or it does not fit
│   └── ResultError                  an answer is no whole result of its task
└── StoreError                  6    the database cannot be read or written

Anything else that escapes is a defect of this program and is shown as one.
"""

from typing import ClassVar


class GlmError(Exception):
    """A failure that a user can understand.

    Args:
        title: What happened, in a few words, without a full stop.
        body: Why, naming the file, key or number concerned.
        remedy: What to do now; empty when nothing can be done.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, title: str, body: str = "", remedy: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.body = body
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.body, self.remedy) if part)


class UsageError(GlmError):
    exit_code = 2


class SettingsError(UsageError):
    pass


class ImageError(GlmError):
    exit_code = 3


class ImageMissingError(ImageError):
    pass


class ImageForbiddenError(ImageError):
    pass


class NotAnImageError(ImageError):
    pass


class ImageTruncatedError(ImageError):
    pass


class ImageTooLargeError(ImageError):
    pass


class ImageChangedError(ImageError):
    """The file is not the one that was attached."""


class EngineError(GlmError):
    exit_code = 4


class NoModelError(EngineError):
    """No checkpoint was named."""


class CheckpointError(EngineError):
    """The checkpoint is missing, incomplete, damaged or of an unknown kind."""


class OutOfMemoryError(EngineError):
    """The GPU's (or host's) memory did not suffice."""


class WorkerDiedError(EngineError):
    """The worker process ended while it was needed."""


class WorkerSilentError(EngineError):
    """The worker process is there but does not answer."""


class ServerError(EngineError):
    """A server elsewhere failed, refused, or cannot be reached."""


class WithheldError(EngineError):
    """What was asked about stays on this machine: nothing of it was sent."""


class TaskError(GlmError):
    exit_code = 5


class PluginError(TaskError):
    """A plugin's own code failed, or does not fit this program."""


class ResultError(TaskError):
    """An answer is not the whole result that its task asks for."""


class StoreError(GlmError):
    """The database cannot be read or written."""

    exit_code = 6
