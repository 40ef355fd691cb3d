"""The servers, each with threads of its own."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import grpc
import http2
import websockets
from pattern import GRPC, HTTP, HTTP2, LANGUAGE, NOBODY, WEBSOCKET, Sink, source


def serve():
    threading.Thread(target=lambda: asyncio.run(echo())).start()
    threading.Thread(target=http2.serve, args=(HTTP2,)).start()
    serve_grpc()
    ThreadingHTTPServer(("", HTTP), Handler).serve_forever()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/hello":
            return self.answer(LANGUAGE)
        total = int(parse_qs(url.query)["bytes"][0])
        self.send_response(200)
        self.send_header("content-length", str(total))
        self.end_headers()
        for piece in source(total):
            self.wfile.write(piece)

    def do_POST(self):
        sink = Sink()
        for piece in self.body():
            sink.write(piece)
        self.answer(str(sink.at))

    def answer(self, text):
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def body(self):
        """The pieces of the request's body; the library leaves its framing to us."""
        if self.headers.get("transfer-encoding") != "chunked":
            yield from self.pieces(int(self.headers["content-length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield from self.pieces(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def pieces(self, size):
        while size:
            piece = self.rfile.read(min(size, 1 << 16))
            if not piece:
                raise EOFError(f"{size} bytes are missing")
            size -= len(piece)
            yield piece

    def log_message(self, *_):
        pass


async def echo():
    """Sends each message of a WebSocket back."""

    async def serve_one(socket):
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(serve_one, None, WEBSOCKET):
        await asyncio.Future()


def serve_grpc():
    def refuse(_, context):
        context.abort(grpc.StatusCode.NOT_FOUND, NOBODY)

    # Without serializers messages are bytes, so that no language needs generated code.
    methods = {
        "Say": grpc.unary_unary_rpc_method_handler(lambda message, _: message),
        "Fail": grpc.unary_unary_rpc_method_handler(refuse),
        "Chat": grpc.stream_stream_rpc_method_handler(lambda messages, _: messages),
    }
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("weft.Polyglot", methods)])
    server.add_insecure_port(f"[::]:{GRPC}")
    server.start()
    # Ends with the process, whose main thread serves HTTP; without a reference it would end now.
    serve_grpc.server = server
