"""What the fit says of regimens nobody has tried: patients simulated, efficacy kept, decisions."""
