"""What arm-level results say of a model: their moments, and one log-density of all."""
