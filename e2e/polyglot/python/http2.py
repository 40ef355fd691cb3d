"""HTTP/2 without TLS and without an upgrade, on the h2 library, which leaves sockets and flow control to us."""

import socket
import threading
from urllib.parse import parse_qs, urlsplit

import h2.config
import h2.connection
import h2.events
from pattern import LANGUAGE, Sink, source


class Connection:
    """One connection of either side; `events` is where everything happens."""

    def __init__(self, stream, is_client):
        self.stream = stream
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=is_client))
        self.waiting = {}
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.stream.sendall(self.h2.data_to_send())

    def send(self, number, headers, body=None):
        """Sends headers, and as much of a body as the windows allow; the rest goes when they open."""
        self.h2.send_headers(number, headers, end_stream=body is None)
        if body is not None:
            self.waiting[number] = [b"", body]
            self.pour(number)
        self.flush()

    def pour(self, number):
        while number in self.waiting:
            piece, body = self.waiting[number]
            piece = piece or next(body, None)
            if piece is None:
                self.h2.end_stream(number)
                del self.waiting[number]
                return
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            self.h2.send_data(number, piece[:room]) if room else None
            self.waiting[number][0] = piece[room:]
            if not room:
                return

    def events(self):
        """What the other side does, until it goes away."""
        while data := self.stream.recv(1 << 16):
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
                    for number in list(self.waiting):
                        self.pour(number)
                yield event
            self.flush()


def serve(port):
    listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=serve_one, args=(stream,), daemon=True).start()


def serve_one(stream):
    with stream:
        connection, paths, sinks = Connection(stream, False), {}, {}
        for event in connection.events():
            if isinstance(event, h2.events.RequestReceived):
                paths[event.stream_id] = dict(event.headers)[b":path"].decode()
                sinks[event.stream_id] = Sink()
            elif isinstance(event, h2.events.DataReceived):
                sinks[event.stream_id].write(event.data)
            elif isinstance(event, h2.events.StreamEnded):
                body = answer(urlsplit(paths.pop(event.stream_id)), sinks.pop(event.stream_id))
                connection.send(event.stream_id, [(":status", "200")], body)


def answer(url, sink):
    if url.path == "/hello":
        return iter([LANGUAGE.encode()])
    if url.path == "/sink":
        return iter([str(sink.at).encode()])
    return source(int(parse_qs(url.query)["bytes"][0]))


class Client:
    """Requests on one connection, one after the other."""

    def __init__(self, host, port, timeout):
        self.authority = f"{host}:{port}"
        self.connection = Connection(socket.create_connection((host, port), timeout), True)
        self.events = self.connection.events()

    def request(self, method, path, body, write):
        """Writes the body of a good answer; complains of any other."""
        number = self.connection.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", self.authority), (":path", path)]
        self.connection.send(number, head, body)
        for event in self.events:
            if isinstance(event, h2.events.ResponseReceived):
                status = dict(event.headers)[b":status"]
                if status != b"200":
                    raise ValueError(f"status {status.decode()}")
            elif isinstance(event, h2.events.DataReceived):
                write(event.data)
            elif isinstance(event, h2.events.StreamEnded):
                return
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise ValueError(str(event))
        raise EOFError("the connection ended")
