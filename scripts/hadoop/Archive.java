import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.apache.hadoop.minikdc.MiniKdc;

/**
 * Runs a NameNode, a DataNode and a KDC in a new folder, and writes and reads a
 * file by WebHDFS, so that -XX:ArchiveClassesAtExit finds their classes loaded.
 */
public class Archive {
    public static void main(String[] args) throws Exception {
        try {
            run(Path.of(args[0]));
            System.exit(0);
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1); // the servers' threads would keep the process
        }
    }

    private static void run(Path folder) throws Exception {
        DefaultMetricsSystem.setMiniClusterMode(true); // several servers in one process
        Configuration conf = new HdfsConfiguration();
        conf.set("hadoop.tmp.dir", folder.toString());
        conf.set("dfs.replication", "1");
        for (String server : new String[] {"namenode.http-", "datanode.", "datanode.ipc.", "datanode.http."}) {
            conf.set("dfs." + server + "address", "127.0.0.1:0");
        }
        FileSystem.setDefaultUri(conf, "hdfs://127.0.0.1:0");
        NameNode.format(conf);
        NameNode nameNode = NameNode.createNameNode(new String[0], conf);
        FileSystem.setDefaultUri(conf, "hdfs://" + nameNode.getNameNodeAddressHostPortString());
        DataNode.createDataNode(new String[0], conf);
        useFile(FileSystem.get(URI.create("webhdfs://127.0.0.1:" + nameNode.getHttpAddress().getPort()), conf));

        MiniKdc kdc = new MiniKdc(MiniKdc.createConf(), Files.createDirectories(folder.resolve("kdc")).toFile());
        kdc.start();
        kdc.createPrincipal(folder.resolve("keytab").toFile(), "alice");
        kdc.stop();
    }

    private static void useFile(FileSystem web) throws Exception {
        org.apache.hadoop.fs.Path file = new org.apache.hadoop.fs.Path("/file");
        for (int left = 300;; left--) { // until the DataNode has registered
            try (OutputStream out = web.create(file)) {
                out.write(1);
                break;
            } catch (IOException e) {
                if (left == 0) {
                    throw e;
                }
                Thread.sleep(100);
            }
        }
        try (InputStream in = web.open(file)) {
            in.read();
        }
    }
}
