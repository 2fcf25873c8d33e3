"""What varies: priors, patients, trials, visits, and the free variables of a fit."""
