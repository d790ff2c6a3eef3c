"""Simulators of others that pip installs, in worker processes of their own: ZigZag and SCALE-Sim."""
