"""What `benchmarks/hashing.py` prints: searches, their accounting under each key, and the tables."""
