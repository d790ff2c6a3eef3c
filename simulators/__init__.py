"""designgym."""
