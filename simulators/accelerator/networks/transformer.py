"""Blocks of transformers as matrix products, for one sequence; normalisation, softmax and activations have no multiply-accumulates here.

A product of (rows x inner) and (inner x columns) is a layer with p = rows, c = inner, k = columns. Attention is a product for each head:
scores are queries times keys, and what is read is scores times values; the cached keys and values stand where weights do.

BERT-base (Devlin et al., NAACL 2019, arXiv:1810.04805, section 3): hidden size 768, 12 heads, feed-forward size 3,072.
Llama-7B (Touvron et al., 2023, arXiv:2302.13971, table 2): hidden size 4,096, 32 heads; its feed-forward network is gated, of size 11,008
(2/3 of four times the hidden size, rounded up to a multiple of 256).
"""

from __future__ import annotations

from collections.abc import Iterator

from designgym.simulators.accelerator.layer import Layer

BERT_TOKENS = 128
LLAMA_TOKENS = 512
"""Tokens of the prompt, and of the cache when the next one is decoded."""


def bert_base() -> Iterator[Layer]:
    """Yield the products of one of the 12 blocks on 128 tokens."""
    yield from _attention(hidden=768, heads=12, tokens=BERT_TOKENS, context=BERT_TOKENS)
    yield _product("feed_forward_in", BERT_TOKENS, 768, 3072)
    yield _product("feed_forward_out", BERT_TOKENS, 3072, 768)


def llama_7b_prefill() -> Iterator[Layer]:
    """Yield the products of one of the 32 blocks on a prompt of 512 tokens."""
    yield from _llama(LLAMA_TOKENS)


def llama_7b_decode() -> Iterator[Layer]:
    """Yield the products of one of the 32 blocks for one token after 511 others."""
    yield from _llama(1)


def _llama(tokens: int) -> Iterator[Layer]:
    yield from _attention(hidden=4096, heads=32, tokens=tokens, context=LLAMA_TOKENS)
    yield _product("feed_forward_gate", tokens, 4096, 11008)
    yield _product("feed_forward_up", tokens, 4096, 11008)
    yield _product("feed_forward_down", tokens, 11008, 4096)


def _attention(hidden: int, heads: int, tokens: int, context: int) -> Iterator[Layer]:
    for name in ("query", "key", "value"):
        yield _product(name, tokens, hidden, hidden)
    for head in range(heads):
        yield _product(f"scores_{head}", tokens, hidden // heads, context)
        yield _product(f"read_{head}", tokens, context, hidden // heads)
    yield _product("attention_out", tokens, hidden, hidden)


def _product(name: str, rows: int, inner: int, columns: int) -> Layer:
    return Layer(name, k=columns, c=inner, r=1, s=1, p=rows, q=1)
