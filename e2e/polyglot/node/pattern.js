// Byte i of a body is i % PERIOD, so that a lost, repeated or changed byte is seen wherever it is.
const PERIOD = 251;
const PIECE = 1 << 16;
const PATTERN = Buffer.alloc(PERIOD + PIECE).map((_, i) => i % PERIOD);

// A body of so many bytes, in pieces.
function* source(total) {
  for (let at = 0; at < total; ) {
    const start = at % PERIOD;
    const piece = PATTERN.subarray(start, start + Math.min(PIECE, total - at));
    at += piece.length;
    yield piece;
  }
}

// Compares the pieces of a stream with a body, and counts.
async function sink(stream) {
  let at = 0;
  for await (const data of stream) {
    for (let done = 0; done < data.length; done += PIECE) {
      const piece = data.subarray(done, done + PIECE);
      const start = at % PERIOD;
      if (!piece.equals(PATTERN.subarray(start, start + piece.length))) {
        throw new Error(`a wrong byte after ${at}`);
      }
      at += piece.length;
    }
  }
  return at;
}

module.exports = {
  source,
  sink,
  LANGUAGE: "node",
  HTTP: 8080,
  WEBSOCKET: 8081,
  HTTP2: 8082,
  GRPC: 8083,
  // The body of an HTTP/2 request or response, beyond any window's first size.
  HTTP2_BODY: 4 << 20,
  // The message of a gRPC status, so that its encoding is seen.
  NOBODY: "nobody here: ü",
  // Messages are bytes, so that no language needs generated code.
  methods: Object.fromEntries(
    [["Say", false], ["Fail", false], ["Chat", true]].map(([name, streams]) => [name, {
      path: `/weft.Polyglot/${name}`,
      requestStream: streams,
      responseStream: streams,
      requestSerialize: (bytes) => bytes,
      requestDeserialize: (bytes) => bytes,
      responseSerialize: (bytes) => bytes,
      responseDeserialize: (bytes) => bytes,
    }]),
  ),
};
