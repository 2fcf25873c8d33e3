"""Calibration of decisions: small trials simulated, fitted, decided, and held to the truth.

    python tests/calibration/decisions.py --sims 200

Truths come from the prior; a trial is that of `redrawn_trial.py`, fitted as `pkpd fit` does (start
by Laplace, coordinates, NUTS), decided as `pkpd decide` does (`decided.py`). One row a trial goes
to a CSV, as it comes; a file that is there is taken up, and a row is the same whatever the order,
the number of workers, and what becomes of them.
"""

from __future__ import annotations

import decided
import decisions_told
import sbc


def main() -> None:
    """Simulate, fit, decide; print what came of it."""
    chosen = sbc.asked("Calibration of decisions", 200).parse_args()
    path = chosen.out or decisions_told.PATH
    sbc.run(path, chosen.sims, sbc.spread(decided.row, (sbc.SEED,), chosen))
    print(decisions_told.told(decisions_told.read(path).head(chosen.sims)))


if __name__ == "__main__":
    main()
