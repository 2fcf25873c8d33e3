"""Effects integrated over points of each subject's own, so that NUTS walks the population alone."""
