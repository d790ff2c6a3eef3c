"""Inference-time architectures: generators, fusers, critics, rankers, verifiers and tests, put together to answer questions."""
