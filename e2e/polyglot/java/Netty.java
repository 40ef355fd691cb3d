import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2StreamFrameToHttpObjectCodec;
import java.io.IOException;
import java.util.function.Supplier;

/** What the JDK has no server for. */
final class Netty {
  private static final NioEventLoopGroup LOOPS = new NioEventLoopGroup(2);
  private static final int LARGEST_MESSAGE = 1 << 20;

  /** Sends each message of a WebSocket back. */
  static void webSocket(int port) throws InterruptedException {
    listen(port, () -> new ChannelHandler[] {
      new HttpServerCodec(),
      new HttpObjectAggregator(LARGEST_MESSAGE),
      new WebSocketServerProtocolHandler("/", null, false, LARGEST_MESSAGE),
      new SimpleChannelInboundHandler<WebSocketFrame>() {
        @Override
        protected void channelRead0(ChannelHandlerContext context, WebSocketFrame frame) {
          context.writeAndFlush(frame.retain());
        }
      },
    });
  }

  /** HTTP/2 without TLS and without an upgrade. */
  static void http2(int port) throws InterruptedException {
    listen(port, () -> new ChannelHandler[] {
      Http2FrameCodecBuilder.forServer().build(),
      new Http2MultiplexHandler(adding(() -> new ChannelHandler[] {
        new Http2StreamFrameToHttpObjectCodec(true),
        new HttpObjectAggregator(2 * Polyglot.HTTP2_BODY),
        new SimpleChannelInboundHandler<FullHttpRequest>() {
          @Override
          protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) throws IOException {
            context.writeAndFlush(new DefaultFullHttpResponse(
                HttpVersion.HTTP_1_1, HttpResponseStatus.OK, answer(request)));
          }
        },
      })),
    });
  }

  private static ByteBuf answer(FullHttpRequest request) throws IOException {
    QueryStringDecoder url = new QueryStringDecoder(request.uri());
    if (url.path().equals("/source")) {
      long total = Long.parseLong(url.parameters().get("bytes").get(0));
      return Unpooled.wrappedBuffer(new Pattern.Source(total).readAllBytes());
    }
    boolean sink = url.path().equals("/sink");
    String text = sink ? "" + Pattern.sink(new ByteBufInputStream(request.content())) : Polyglot.LANGUAGE;
    return Unpooled.wrappedBuffer(text.getBytes());
  }

  private static void listen(int port, Supplier<ChannelHandler[]> handlers) throws InterruptedException {
    new ServerBootstrap()
        .group(LOOPS)
        .channel(NioServerSocketChannel.class)
        .childHandler(adding(handlers))
        .bind(port)
        .sync();
  }

  private static ChannelInitializer<Channel> adding(Supplier<ChannelHandler[]> handlers) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel channel) {
        channel.pipeline().addLast(handlers.get());
      }
    };
  }
}
