"""Individual records met with a model: free numbers, courses, log-densities, a place to start."""
