// Polyglot in Node: `serve` speaks HTTP/1.1, WebSocket, HTTP/2 and gRPC; `client` tries each of them on each server.
const [role, mebibytes, ...servers] = process.argv.slice(2);

if (role === "serve") {
  require("./server").serve();
} else if (role === "client" && servers.length > 0) {
  require("./client").run(Number(mebibytes) << 20, servers);
} else {
  console.error("usage: serve | client MEBIBYTES NAME=HOST...");
  process.exit(1);
}
