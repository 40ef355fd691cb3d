"""Polyglot in Python: `serve` speaks HTTP/1.1, WebSocket, HTTP/2 and gRPC; `client` tries each of them on each server."""

import sys

import client
import server


def main(words):
    if words == ["serve"]:
        server.serve()
    elif len(words) > 2 and words[0] == "client":
        client.run(int(words[1]) << 20, words[2:])
    else:
        sys.exit("usage: serve | client MEBIBYTES NAME=HOST...")


main(sys.argv[1:])
