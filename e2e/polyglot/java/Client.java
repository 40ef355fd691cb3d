import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Tries each protocol on each server and prints one line of JSON for each.
 *
 * <p>The JDK's HTTP client is left as it is: its first request without TLS asks for an upgrade to HTTP/2. It has no
 * HTTP/2 without that, so `http2` is not among the protocols.
 */
final class Client {
  interface Check {
    void on(String host) throws Exception;
  }

  static void run(long body, List<String> servers) {
    Map<String, Check> checks = new LinkedHashMap<>();
    checks.put("http1", Client::greet);
    checks.put("upload", host -> upload(host, body));
    checks.put("download", host -> download(host, body));
    checks.put("websocket", host -> new Talk().with(host));
    checks.put("grpc", Client::call);
    ExecutorService worker = Executors.newCachedThreadPool();
    for (String server : servers) {
      String[] parts = server.split("=");
      checks.forEach((protocol, check) -> {
        Future<?> outcome = worker.submit(() -> {
          check.on(parts[1]);
          return null;
        });
        System.out.printf("{\"server\": \"%s\", \"protocol\": \"%s\", \"fault\": \"%s\"}%n",
            parts[0], protocol, fault(outcome, 30 + (body >> 22)));
      });
    }
  }

  private static String fault(Future<?> outcome, long seconds) {
    try {
      outcome.get(seconds, TimeUnit.SECONDS);
      return "";
    } catch (Exception broken) {
      return broken.toString().replaceAll("[\"\\\\\\p{Cntrl}]", "'");
    }
  }

  private static void must(boolean condition, String complaint) {
    if (!condition) {
      throw new IllegalStateException(complaint);
    }
  }

  private static HttpRequest.Builder request(String host, String path) {
    return HttpRequest.newBuilder(URI.create("http://" + host + ":" + Polyglot.HTTP + path));
  }

  private static void greet(String host) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    for (int i = 0; i < 3; i++) {
      HttpResponse<String> response = client.send(request(host, "/hello").build(), BodyHandlers.ofString());
      must(response.statusCode() == 200, response + " " + response.body());
    }
  }

  private static void upload(String host, long body) throws Exception {
    HttpRequest request = request(host, "/sink")
        .POST(BodyPublishers.ofInputStream(() -> new Pattern.Source(body)))
        .build();
    HttpResponse<String> response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
    must(response.statusCode() == 200, response + " " + response.body());
    must(response.body().equals("" + body), "sent " + body + " bytes, the server counts " + response.body());
  }

  private static void download(String host, long body) throws Exception {
    HttpResponse<InputStream> response = HttpClient.newHttpClient()
        .send(request(host, "/source?bytes=" + body).build(), BodyHandlers.ofInputStream());
    must(response.statusCode() == 200, response.toString());
    long got = Pattern.sink(response.body());
    must(got == body, "asked for " + body + " bytes, got " + got);
  }

  /** A WebSocket's messages come back: some for each form of a length. */
  private static final class Talk implements WebSocket.Listener {
    private final BlockingQueue<Integer> lengths = new LinkedBlockingQueue<>();
    private int length;

    void with(String host) throws Exception {
      URI address = URI.create("ws://" + host + ":" + Polyglot.WEBSOCKET + "/");
      WebSocket socket = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(address, this).get();
      for (int sent : new int[] {5, 300, 100_000}) {
        byte[] bytes = new byte[sent];
        Arrays.fill(bytes, (byte) 'x');
        socket.sendBinary(ByteBuffer.wrap(bytes), true).get();
        must(lengths.take() == sent, sent + " bytes did not come back");
      }
      socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get();
      must(lengths.take() == -WebSocket.NORMAL_CLOSURE, "not closed as it should be");
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer data, boolean last) {
      length += data.remaining();
      if (last) {
        lengths.add(length);
        length = 0;
      }
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
      lengths.add(-code);
      return null;
    }
  }

  /** One call that succeeds, one that fails, and one with a stream in each direction. */
  private static void call(String host) throws Exception {
    ManagedChannel channel = NettyChannelBuilder.forAddress(host, Polyglot.GRPC).usePlaintext().build();
    CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS);
    byte[] hello = "hello".getBytes();
    byte[] said = ClientCalls.blockingUnaryCall(channel, Bytes.SAY, options, hello);
    must(Arrays.equals(said, hello), "Say: " + new String(said));
    try {
      ClientCalls.blockingUnaryCall(channel, Bytes.FAIL, options, hello);
      must(false, "Fail succeeds");
    } catch (StatusRuntimeException fault) {
      Status status = fault.getStatus();
      must(status.getCode() == Status.Code.NOT_FOUND && Polyglot.NOBODY.equals(status.getDescription()),
          "Fail: " + status);
    }
    BlockingQueue<String> got = new LinkedBlockingQueue<>();
    StreamObserver<byte[]> sender = ClientCalls.asyncBidiStreamingCall(
        channel.newCall(Bytes.CHAT, options), new Into(got));
    for (String message : List.of("message 0", "message 1", "message 2")) {
      sender.onNext(message.getBytes());
      must(message.equals(got.take()), "Chat: not " + message);
    }
    sender.onCompleted();
    must(got.take().isEmpty(), "Chat does not end well");
    channel.shutdownNow();
  }

  /** Puts messages into a queue, then "" for a good end or what went wrong. */
  private record Into(BlockingQueue<String> got) implements StreamObserver<byte[]> {
    @Override
    public void onNext(byte[] message) {
      got.add(new String(message));
    }

    @Override
    public void onError(Throwable broken) {
      got.add(broken.toString());
    }

    @Override
    public void onCompleted() {
      got.add("");
    }
  }
}
