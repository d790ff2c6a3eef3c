"""The simulated responder."""
