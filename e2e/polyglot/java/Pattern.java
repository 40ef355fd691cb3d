import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** Byte i of a body is i % PERIOD, so that a lost, repeated or changed byte is seen wherever it is. */
final class Pattern {
  private static final int PERIOD = 251;
  private static final byte[] BYTES = new byte[PERIOD + (1 << 16)];

  static {
    for (int i = 0; i < BYTES.length; i++) {
      BYTES[i] = (byte) (i % PERIOD);
    }
  }

  /** A body of so many bytes. */
  static final class Source extends InputStream {
    private final long total;
    private long at;

    Source(long total) {
      this.total = total;
    }

    @Override
    public int read() {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] into, int offset, int length) {
      if (at == total) {
        return -1;
      }
      int from = (int) (at % PERIOD);
      int count = (int) Math.min(Math.min(length, BYTES.length - from), total - at);
      System.arraycopy(BYTES, from, into, offset, count);
      at += count;
      return count;
    }
  }

  /** Compares a stream with a body to its end, and counts. */
  static long sink(InputStream stream) throws IOException {
    byte[] piece = new byte[1 << 16];
    long at = 0;
    for (int count; (count = stream.read(piece)) >= 0; at += count) {
      int from = (int) (at % PERIOD);
      if (!Arrays.equals(piece, 0, count, BYTES, from, from + count)) {
        throw new IOException("a wrong byte after " + at);
      }
    }
    return at;
  }
}
