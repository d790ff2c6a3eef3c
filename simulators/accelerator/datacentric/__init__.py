"""Data-centric model of dataflow mappings, after MAESTRO."""
