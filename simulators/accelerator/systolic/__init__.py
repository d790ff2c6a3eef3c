"""Systolic arrays: how many cycles a layer takes on a grid of multipliers that pass operands on to their neighbours (as in SCALE-Sim)."""
