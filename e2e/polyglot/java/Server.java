import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** The servers: the JDK's own for HTTP/1.1, Netty for WebSocket and HTTP/2, gRPC's. */
final class Server {
  static void serve() throws Exception {
    HttpServer http = HttpServer.create(new InetSocketAddress(Polyglot.HTTP), 0);
    http.createContext("/hello", exchange -> answer(exchange, Polyglot.LANGUAGE));
    http.createContext("/sink", exchange -> answer(exchange, "" + Pattern.sink(exchange.getRequestBody())));
    http.createContext("/source", Server::pour);
    http.setExecutor(Executors.newCachedThreadPool());
    http.start();
    Netty.webSocket(Polyglot.WEBSOCKET);
    Netty.http2(Polyglot.HTTP2);
    NettyServerBuilder.forPort(Polyglot.GRPC).addService(service()).build().start().awaitTermination();
  }

  private static void answer(HttpExchange exchange, String text) throws IOException {
    exchange.sendResponseHeaders(200, text.length());
    try (OutputStream body = exchange.getResponseBody()) {
      body.write(text.getBytes());
    }
  }

  private static void pour(HttpExchange exchange) throws IOException {
    long total = Long.parseLong(exchange.getRequestURI().getQuery().replace("bytes=", ""));
    exchange.sendResponseHeaders(200, 0); // chunked
    try (InputStream source = new Pattern.Source(total); OutputStream body = exchange.getResponseBody()) {
      source.transferTo(body);
    }
  }

  private static ServerServiceDefinition service() {
    return ServerServiceDefinition.builder("weft.Polyglot")
        .addMethod(Bytes.SAY, ServerCalls.asyncUnaryCall((message, answers) -> {
          answers.onNext(message);
          answers.onCompleted();
        }))
        .addMethod(Bytes.FAIL, ServerCalls.asyncUnaryCall((message, answers) ->
            answers.onError(Status.NOT_FOUND.withDescription(Polyglot.NOBODY).asException())))
        .addMethod(Bytes.CHAT, ServerCalls.asyncBidiStreamingCall(Server::chat))
        .build();
  }

  private static StreamObserver<byte[]> chat(StreamObserver<byte[]> answers) {
    return new StreamObserver<>() {
      @Override
      public void onNext(byte[] message) {
        answers.onNext(message);
      }

      @Override
      public void onError(Throwable broken) {}

      @Override
      public void onCompleted() {
        answers.onCompleted();
      }
    };
  }
}
