import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.*;
import org.apache.hadoop.io.SequenceFile.CompressionType;
import org.apache.hadoop.io.SequenceFile.Metadata;
import org.apache.hadoop.io.compress.*;

/** Writes SequenceFiles with Hadoop's own classes into the folder that is named, and reads the files that are. */
public class Write {
  static final int RECORDS = 300; // of which none may be taken for another, with several sync markers between

  static String text(int i) { return ("image " + i + " ").repeat(1 + i); }

  static Writable key(Class<?> c, int i) {
    String name = "class" + i % 3 + "/deep/" + i + ".png";
    if (c == Text.class) return new Text(name);
    if (c == BytesWritable.class) return new BytesWritable(name.getBytes());
    if (c == IntWritable.class) return new IntWritable(i - 1);
    if (c == LongWritable.class) return new LongWritable(1L << 40 | i);
    return NullWritable.get();
  }

  static void write(String path, Class<?> keys, CompressionType type, CompressionCodec codec) throws Exception {
    Configuration conf = new Configuration();
    conf.setInt("io.seqfile.compress.blocksize", 50_000);
    Metadata metadata = new Metadata();
    metadata.set(new Text("made by"), new Text("a test"));
    try (SequenceFile.Writer w = SequenceFile.createWriter(conf, SequenceFile.Writer.file(new Path(path)),
        SequenceFile.Writer.keyClass(keys), SequenceFile.Writer.valueClass(BytesWritable.class),
        SequenceFile.Writer.compression(type, codec), SequenceFile.Writer.metadata(metadata))) {
      for (int i = 0; i < RECORDS; i++) w.append(key(keys, i), new BytesWritable(text(i).getBytes()));
    }
  }

  public static void main(String[] args) throws Exception {
    String out = args[0] + "/";
    DefaultCodec zlib = new DefaultCodec();
    DeflateCodec deflate = new DeflateCodec();
    BZip2Codec bzip2 = new BZip2Codec();
    for (DefaultCodec c : new DefaultCodec[] {zlib, deflate}) c.setConf(new Configuration());
    bzip2.setConf(new Configuration());
    write(out + "none.seq", Text.class, CompressionType.NONE, zlib);
    write(out + "record.seq", Text.class, CompressionType.RECORD, zlib);
    write(out + "block.seq", Text.class, CompressionType.BLOCK, zlib);
    write(out + "deflate.seq", Text.class, CompressionType.BLOCK, deflate);
    write(out + "bzip2.seq", Text.class, CompressionType.BLOCK, bzip2);
    write(out + "bytes.seq", BytesWritable.class, CompressionType.BLOCK, zlib);
    write(out + "int.seq", IntWritable.class, CompressionType.NONE, zlib);
    write(out + "long.seq", LongWritable.class, CompressionType.RECORD, zlib);
    write(out + "null.seq", NullWritable.class, CompressionType.BLOCK, zlib);
    Configuration conf = new Configuration();
    for (int i = 1; i < args.length; i++) {
      try (SequenceFile.Reader r = new SequenceFile.Reader(conf, SequenceFile.Reader.file(new Path(args[i])))) {
        Text k = new Text();
        BytesWritable v = new BytesWritable();
        while (r.next(k, v)) System.out.println(k + " " + v.getLength());
      }
    }
  }
}
