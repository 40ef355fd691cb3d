import java.util.List;

/** Polyglot in Java: `serve` speaks HTTP/1.1, WebSocket, HTTP/2 and gRPC; `client` tries what it has on each server. */
final class Polyglot {
  static final String LANGUAGE = "java";
  static final int HTTP = 8080;
  static final int WEBSOCKET = 8081;
  static final int HTTP2 = 8082;
  static final int GRPC = 8083;

  /** The body of an HTTP/2 request or response, beyond any window's first size. */
  static final int HTTP2_BODY = 4 << 20;

  /** The message of a gRPC status, so that its encoding is seen. */
  static final String NOBODY = "nobody here: \u00fc";

  public static void main(String[] words) throws Exception {
    if (words.length == 1 && words[0].equals("serve")) {
      Server.serve();
    } else if (words.length > 2 && words[0].equals("client")) {
      Client.run(Long.parseLong(words[1]) << 20, List.of(words).subList(2, words.length));
      System.exit(0); // pooled connections would keep it
    } else {
      System.err.println("usage: serve | client MEBIBYTES NAME=HOST...");
      System.exit(1);
    }
  }
}
