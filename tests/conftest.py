import os
import shutil

from glm4v_tui.inference.environment import prepare_environment

pytest_plugins = ["tests.checkpoints"]

# Torch reads this when it is imported, by whichever test comes first. Its threads would spin while
# they wait, and models as small as those in here would take up to ten times as long.
prepare_environment()
os.environ.setdefault("OMP_NUM_THREADS", "1")

if shutil.which("nvidia-smi") is None:
    # Without a GPU the kernels run in Triton's interpreter; it is read when they are imported.
    os.environ["TRITON_INTERPRET"] = "1"
