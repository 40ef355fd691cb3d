const http = require("node:http");
const http2 = require("node:http2");
const { Readable, pipeline } = require("node:stream");
const grpc = require("@grpc/grpc-js");
const { WebSocketServer } = require("ws");
const { HTTP, WEBSOCKET, HTTP2, GRPC, LANGUAGE, NOBODY, methods, sink, source } = require("./pattern");

function serve() {
  http.createServer(answer).listen(HTTP);
  http2.createServer(answer).listen(HTTP2); // without TLS and without an upgrade
  new WebSocketServer({ port: WEBSOCKET }).on("connection", (socket) => {
    socket.on("message", (message, binary) => socket.send(message, { binary }));
  });
  serveGrpc();
}

async function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/source") {
    // What goes wrong is the client's to say.
    pipeline(Readable.from(source(Number(url.searchParams.get("bytes")))), response, () => {});
    return;
  }
  try {
    response.end(url.pathname === "/sink" ? String(await sink(request)) : LANGUAGE);
  } catch (fault) {
    response.statusCode = 400;
    response.end(fault.message);
  }
}

function serveGrpc() {
  const server = new grpc.Server();
  server.addService(methods, {
    Say: (call, done) => done(null, call.request),
    Fail: (_, done) => done({ code: grpc.status.NOT_FOUND, details: NOBODY }),
    Chat: (call) => call.on("data", (message) => call.write(message)).on("end", () => call.end()),
  });
  server.bindAsync(`[::]:${GRPC}`, grpc.ServerCredentials.createInsecure(), (fault) => {
    if (fault) throw fault;
  });
}

module.exports = { serve };
