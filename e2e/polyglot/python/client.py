"""Tries each protocol on each server and prints one line of JSON for each."""

import asyncio
import http.client
import json

import grpc
import http2
import websockets
from pattern import GRPC, HTTP, HTTP2, HTTP2_BODY, NOBODY, WEBSOCKET, Sink, source

# Seconds for one step of an exchange; of a long body only a piece.
PATIENCE = 30


def run(body, servers):
    checks = {
        "http1": greet,
        "upload": lambda host: upload(host, body),
        "download": lambda host: download(host, body),
        "http2": try_http2,
        "websocket": lambda host: asyncio.run(asyncio.wait_for(talk(host), PATIENCE)),
        "grpc": call,
    }
    for server in servers:
        name, host = server.split("=")
        for protocol, check in checks.items():
            fault = ""
            try:
                check(host)
            except Exception as broken:  # whatever it is, it is the result
                fault = f"{type(broken).__name__}: {broken}"
            print(json.dumps({"server": name, "protocol": protocol, "fault": fault}), flush=True)


def must(condition, complaint):
    if not condition:
        raise ValueError(complaint)


def greet(host):
    """Three requests, which must share one connection."""
    connection, sockets = http.client.HTTPConnection(host, HTTP, timeout=PATIENCE), set()
    for _ in range(3):
        connection.request("GET", "/hello")
        sockets.add(connection.sock)
        response = connection.getresponse()
        response.read()
        must(response.status == 200, f"status {response.status}")
    must(len(sockets) == 1 and None not in sockets, f"{len(sockets)} connections for 3 requests")


def upload(host, body):
    connection = http.client.HTTPConnection(host, HTTP, timeout=PATIENCE)
    connection.request("POST", "/sink", source(body), encode_chunked=True, headers={"transfer-encoding": "chunked"})
    response = connection.getresponse()
    text = response.read()
    must(response.status == 200 and int(text) == body, f"status {response.status}: sent {body} bytes, got {text}")


def download(host, body):
    connection, sink = http.client.HTTPConnection(host, HTTP, timeout=PATIENCE), Sink()
    connection.request("GET", f"/source?bytes={body}")
    response = connection.getresponse()
    must(response.status == 200, f"status {response.status}")
    while piece := response.read(1 << 16):
        sink.write(piece)
    must(sink.at == body, f"asked for {body} bytes, got {sink.at}")


def try_http2(host):
    client, answer, sink = http2.Client(host, HTTP2, PATIENCE), bytearray(), Sink()
    for _ in range(3):
        client.request("GET", "/hello", None, lambda _: None)
    client.request("POST", "/sink", source(HTTP2_BODY), answer.extend)
    must(int(answer) == HTTP2_BODY, f"sent {HTTP2_BODY} bytes, the server counts {answer}")
    client.request("GET", f"/source?bytes={HTTP2_BODY}", None, sink.write)
    must(sink.at == HTTP2_BODY, f"asked for {HTTP2_BODY} bytes, got {sink.at}")


async def talk(host):
    """A WebSocket's messages come back: some for each form of a length."""
    async with websockets.connect(f"ws://{host}:{WEBSOCKET}/") as socket:
        for length in (5, 300, 100_000):
            await socket.send(b"x" * length)
            got = await socket.recv()
            must(got == b"x" * length, f"{length} bytes came back as {len(got)}")
    must(socket.close_code == 1000, f"closed with {socket.close_code}")


def call(host):
    """One call that succeeds, one that fails, and one with a stream in each direction."""
    with grpc.insecure_channel(f"{host}:{GRPC}") as channel:
        got = channel.unary_unary("/weft.Polyglot/Say")(b"hello", timeout=PATIENCE)
        must(got == b"hello", f"Say: {got}")
        try:
            channel.unary_unary("/weft.Polyglot/Fail")(b"hello", timeout=PATIENCE)
            raise ValueError("Fail succeeds")
        except grpc.RpcError as fault:
            must(fault.code() == grpc.StatusCode.NOT_FOUND and fault.details() == NOBODY, f"Fail: {fault}")
        sent = [b"message %d" % number for number in range(3)]
        got = list(channel.stream_stream("/weft.Polyglot/Chat")(iter(sent), timeout=PATIENCE))
        must(got == sent, f"Chat: {got}")
