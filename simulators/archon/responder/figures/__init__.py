"""Published figures that the responder is fitted to and compared with, each with its source."""
