// Tries each protocol on each server and prints one line of JSON for each.
const http = require("node:http");
const http2 = require("node:http2");
const { once } = require("node:events");
const { Readable, pipeline } = require("node:stream");
const { text } = require("node:stream/consumers");
const grpc = require("@grpc/grpc-js");
const WebSocket = require("ws");
const { HTTP, WEBSOCKET, HTTP2, GRPC, HTTP2_BODY, NOBODY, methods, sink, source } = require("./pattern");

async function run(body, servers) {
  const checks = {
    http1: greet,
    upload: (host) => upload(host, body),
    download: (host) => download(host, body),
    http2: tryHttp2,
    websocket: talk,
    grpc: call,
  };
  for (const [name, host] of servers.map((server) => server.split("="))) {
    for (const [protocol, check] of Object.entries(checks)) {
      const fault = await within(30 + body / (4 << 20), check(host)).then(() => "", String);
      console.log(JSON.stringify({ server: name, protocol, fault }));
    }
  }
  process.exit();
}

function within(seconds, promise) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`nothing after ${seconds} s`)), seconds * 1000).unref();
  });
  return Promise.race([promise, late]);
}

function must(condition, complaint) {
  if (!condition) throw new Error(complaint);
}

// The response to one HTTP/1.1 request, with the request.
async function exchange(options, body) {
  const request = http.request({ port: HTTP, ...options });
  const answered = once(request, "response");
  if (body) pipeline(Readable.from(body), request, () => {});
  else request.end();
  const [response] = await answered;
  must(response.statusCode === 200, `status ${response.statusCode}`);
  return { request, response };
}

// Three requests, which must share one connection.
async function greet(host) {
  const agent = new http.Agent({ keepAlive: true });
  for (const reused of [false, true, true]) {
    const { request, response } = await exchange({ host, agent, path: "/hello" });
    await text(response);
    must(request.reusedSocket === reused, "a new connection for a later request");
  }
  agent.destroy();
}

async function upload(host, body) {
  const { response } = await exchange({ host, path: "/sink", method: "POST" }, source(body));
  const count = await text(response);
  must(count === String(body), `sent ${body} bytes, the server counts ${count}`);
}

async function download(host, body) {
  const { response } = await exchange({ host, path: `/source?bytes=${body}` });
  const got = await sink(response);
  must(got === body, `asked for ${body} bytes, got ${got}`);
}

async function tryHttp2(host) {
  const session = http2.connect(`http://${host}:${HTTP2}`);
  const broken = once(session, "close").then(() => Promise.reject(new Error("the connection ended")));
  const request = async (headers, body) => {
    const stream = session.request(headers);
    if (body) pipeline(Readable.from(body), stream, () => {});
    const [head] = await once(stream, "response");
    must(head[":status"] === 200, `status ${head[":status"]}`);
    return stream;
  };
  const story = async () => {
    for (let i = 0; i < 3; i++) await text(await request({ ":path": "/hello" }));
    const count = await text(await request({ ":path": "/sink", ":method": "POST" }, source(HTTP2_BODY)));
    must(count === String(HTTP2_BODY), `sent ${HTTP2_BODY} bytes, the server counts ${count}`);
    const got = await sink(await request({ ":path": `/source?bytes=${HTTP2_BODY}` }));
    must(got === HTTP2_BODY, `asked for ${HTTP2_BODY} bytes, got ${got}`);
  };
  await Promise.race([story(), broken]);
  broken.catch(() => {});
  session.close();
}

// A WebSocket's messages come back: some for each form of a length.
async function talk(host) {
  const socket = new WebSocket(`ws://${host}:${WEBSOCKET}/`);
  await once(socket, "open");
  for (const length of [5, 300, 100_000]) {
    socket.send(Buffer.alloc(length, "x"));
    const [got] = await once(socket, "message");
    must(got.equals(Buffer.alloc(length, "x")), `${length} bytes came back as ${got.length}`);
  }
  socket.close(1000);
  const [code] = await once(socket, "close");
  must(code === 1000, `closed with ${code}`);
}

// One call that succeeds, one that fails, and one with a stream in each direction.
async function call(host) {
  const Client = grpc.makeGenericClientConstructor(methods, "weft.Polyglot");
  const client = new Client(`${host}:${GRPC}`, grpc.credentials.createInsecure());
  const unary = (method) => new Promise((resolve, reject) => {
    client[method](Buffer.from("hello"), (fault, got) => (fault ? reject(fault) : resolve(got)));
  });
  const said = await unary("Say");
  must(said.equals(Buffer.from("hello")), `Say: ${said}`);
  const fault = await unary("Fail").then(() => ({}), (fault) => fault);
  must(fault.code === grpc.status.NOT_FOUND && fault.details === NOBODY, `Fail: ${fault}`);
  const stream = client.Chat();
  for (const message of ["message 0", "message 1", "message 2"]) {
    stream.write(Buffer.from(message));
    const [got] = await once(stream, "data");
    must(got.equals(Buffer.from(message)), `Chat: ${got}`);
  }
  stream.end();
  const [status] = await once(stream.resume(), "status");
  must(status.code === grpc.status.OK, `Chat: ${status.details}`);
  client.close();
}

module.exports = { run };
