"""pkpd: how well is efficacy kept when anti-OX40 dosing is stretched?"""

import os

os.environ.setdefault("JAX_ENABLE_X64", "1")
