import os
import shutil

pytest_plugins = ["tests.checkpoints"]

if shutil.which("nvidia-smi") is None:
    # Without a GPU the kernels run in Triton's interpreter; it is read when they are imported.
    os.environ["TRITON_INTERPRET"] = "1"
