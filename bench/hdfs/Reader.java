// Reads files by Hadoop's own client, like a program that does nothing else:
// one FileSystem, a thread that lists, and threads that open and read files.
//
//   java -cp ... Reader.java URI FILES BYTES
//
// For each number on a line of standard input it reads all files below the URI
// with this number of threads, and prints the time in seconds. There must be
// exactly FILES files of BYTES bytes each.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;

public final class Reader {
  private static final Path END = new Path("/end");

  private final FileSystem fs;
  private final Path root;
  private final int files;
  private final int bytes;

  private Reader(String uri, int files, int bytes) throws Exception {
    this.fs = FileSystem.get(URI.create(uri), new Configuration());
    this.root = new Path(uri);
    this.files = files;
    this.bytes = bytes;
  }

  public static void main(String[] args) throws Exception {
    Reader reader = new Reader(args[0], Integer.parseInt(args[1]), Integer.parseInt(args[2]));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      long begun = System.nanoTime();
      reader.round(Integer.parseInt(line.trim()));
      System.out.println((System.nanoTime() - begun) / 1e9);
    }
  }

  private void round(int threads) throws Exception {
    ArrayBlockingQueue<Path> listed = new ArrayBlockingQueue<>(threads);
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      Future<?>[] reading = new Future<?>[threads];
      for (int i = 0; i < threads; i++) {
        reading[i] = pool.submit(() -> {
          byte[] b = new byte[bytes + 1];
          for (Path file = listed.take(); file != END; file = listed.take()) {
            read(file, b);
          }
          return null;
        });
      }
      int n = list(root, listed);
      if (n != files) {
        throw new IllegalStateException(n + " files of " + files);
      }
      for (int i = 0; i < threads; i++) {
        listed.put(END);
      }
      for (Future<?> f : reading) {
        f.get();
      }
    } finally {
      pool.shutdownNow();
    }
  }

  private int list(Path dir, ArrayBlockingQueue<Path> listed) throws Exception {
    int n = 0;
    RemoteIterator<FileStatus> entries = fs.listStatusIterator(dir);
    while (entries.hasNext()) {
      FileStatus entry = entries.next();
      if (entry.isDirectory()) {
        n += list(entry.getPath(), listed);
      } else {
        listed.put(entry.getPath());
        n++;
      }
    }
    return n;
  }

  private void read(Path file, byte[] b) throws Exception {
    try (FSDataInputStream in = fs.open(file)) {
      int n = 0;
      for (int k = in.read(b, 0, b.length); k > 0; k = in.read(b, n, b.length - n)) {
        n += k;
      }
      if (n != bytes) {
        throw new IllegalStateException(file + " has " + n + " bytes");
      }
    }
  }
}
