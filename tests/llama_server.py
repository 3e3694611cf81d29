"""llama.cpp's server, as the package xllamacpp has it, in a process of its own.

Called with one argument: an object in JSON of ``port``, the files ``model`` and ``images`` (none
for a server that sees nothing), and whatever else its parameters are called.
"""

from __future__ import annotations

import json
import signal
import sys

import xllamacpp


def parameters(port, model, images=None, model_alias=(), **more):
    told = xllamacpp.CommonParams()
    told.port, told.model.path, told.model_alias = port, model, set(model_alias)
    if images is not None:
        told.mmproj.path = images
    told.n_gpu_layers, told.fit_params, told.warmup = 0, False, False
    # in 32 bits all over, so that its numbers are those of the checkpoint in 32 bits
    told.cache_type_k = told.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    told.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    # two would spin while they wait for each other, on a machine whose cores are shared
    told.cpuparams.n_threads = told.cpuparams_batch.n_threads = 1
    for name, value in more.items():
        setattr(told, name, value)
    return told


if __name__ == "__main__":
    server = xllamacpp.Server(parameters(**json.loads(sys.argv[1])))
    signal.pause()
