"""What every part of the Python polyglot knows."""

LANGUAGE = "python"
HTTP, WEBSOCKET, HTTP2, GRPC = 8080, 8081, 8082, 8083

# The body of an HTTP/2 request or response, beyond any window's first size.
HTTP2_BODY = 4 << 20
# The message of a gRPC status, so that its encoding is seen.
NOBODY = "nobody here: ü"

# Byte i of a body is i % PERIOD, so that a lost, repeated or changed byte is seen wherever it is.
PERIOD = 251
PATTERN = (bytes(range(PERIOD)) * 300)[: PERIOD + (1 << 16)]


def source(total):
    """A body of so many bytes, in pieces."""
    at = 0
    while at < total:
        start = at % PERIOD
        piece = PATTERN[start : min(start + (1 << 16), start + total - at)]
        at += len(piece)
        yield piece


class Sink:
    """Compares what it is given with a body, and counts."""

    def __init__(self):
        self.at = 0

    def write(self, data):
        """Takes the next bytes, at most 64 KiB of them."""
        start = self.at % PERIOD
        if data != PATTERN[start : start + len(data)]:
            raise ValueError(f"a wrong byte after {self.at}")
        self.at += len(data)
