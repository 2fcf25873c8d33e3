"""Whether a posterior may be believed: sampling, solver, predictive checks, models compared."""
