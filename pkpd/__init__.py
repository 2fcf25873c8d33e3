"""Population PKPD: how well is efficacy kept when anti-OX40 dosing is stretched.

Importing sets, where the user has not: float64 in JAX, and one thread a numerical call, since
chains run side by side and threads inside them only compete (measured: half the CPU time).
"""

import os
import sys

if "JAX_ENABLE_X64" not in os.environ:
    os.environ["JAX_ENABLE_X64"] = "1"
    if "jax" in sys.modules:  # imported first, it has read its settings already
        sys.modules["jax"].config.update("jax_enable_x64", True)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
