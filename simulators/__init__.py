"""What designs are evaluated by: a folder per domain."""
