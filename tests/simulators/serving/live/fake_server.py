"""A server that speaks as much of OpenAI's interface as the client needs, and misbehaves as it is told.

Usage: python fake_server.py PORT BEHAVIOUR [TOKEN_S]. Behaviours: ``good``, ``busy`` (429), ``broken`` (500), ``cut`` (ends in
the middle), ``torn`` (the same, in an encoding that tells), ``hang`` (never answers), ``empty`` (no text), ``dies`` (ends at the third
request), ``refuses`` (ends at once, with a message).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

PORT, BEHAVIOUR = int(sys.argv[1]), sys.argv[2]
TOKEN_S = float(sys.argv[3]) if len(sys.argv) > 3 else 0.01
served = 0


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global served
    request = (await reader.readline()).decode()
    length = 0
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(":")
        length = int(value) if name.lower() == "content-length" else length
    body = await reader.readexactly(length)
    if request.startswith("GET"):
        status = "404 Not Found" if "/nowhere" in request else "200 OK"
        models = json.dumps({"object": "list", "data": [{"id": "fake", "object": "model", "created": 0, "owned_by": "us"}]})
        kind = "content-type: application/json\r\nconnection: close"
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(models)}\r\n{kind}\r\n\r\n{models}".encode())
    else:
        served += 1
        asked = json.loads(body)
        assert asked["stream"] and asked["ignore_eos"] and all(isinstance(token, int) for token in asked["prompt"])
        if BEHAVIOUR == "dies" and served == 3:
            print("out of memory; api_key=verysecret", flush=True)
            os._exit(3)
        if BEHAVIOUR in ("busy", "broken"):
            status = "429 Too Many Requests" if BEHAVIOUR == "busy" else "500 Internal Server Error"
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}".encode())
        elif BEHAVIOUR == "hang":
            await asyncio.sleep(1000)
        else:
            await stream(writer, asked["max_tokens"])
    await writer.drain()
    writer.close()


async def stream(writer: asyncio.StreamWriter, tokens: int) -> None:
    encoding = "transfer-encoding: chunked\r\n\r\n400\r\n" if BEHAVIOUR == "torn" else "connection: close\r\n\r\n"
    writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{encoding}".encode())
    base = {"id": "x", "object": "text_completion", "created": 0, "model": "fake"}
    for number in range(0 if BEHAVIOUR == "empty" else tokens):
        await asyncio.sleep(TOKEN_S)
        if BEHAVIOUR in ("cut", "torn") and number == 2:
            writer.close()
            return
        piece = {**base, "choices": [{"index": 0, "text": f"t{number}", "finish_reason": None, "logprobs": None}]}
        writer.write(f"data: {json.dumps(piece)}\n\n".encode())
        await writer.drain()
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
    writer.write(f"data: {json.dumps({**base, 'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode())


async def main() -> None:
    if BEHAVIOUR == "refuses":
        print("error: unknown model; HF_TOKEN=hf_abcdef", flush=True)
        sys.exit(2)
    server = await asyncio.start_server(answer, "127.0.0.1", PORT)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
