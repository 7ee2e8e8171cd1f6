import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/**
 * The rival of the bench: what `split-concat` does, as a sink connector of Kafka Connect that is as lean as one can be. The value comes as bytes, a line is
 * copied into one buffer that is kept, and a batch is one request on one connection that is kept. It checks nothing, handles no error of InfluxDB's, and
 * lets points overwrite each other less than others only because it stamps them as Sluice does.
 */
public final class LeanSink extends SinkConnector {
    private Map<String, String> settings;

    @Override
    public void start(Map<String, String> settings) {
        this.settings = settings;
    }

    @Override
    public Class<? extends Task> taskClass() {
        return LeanTask.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int tasks) {
        List<Map<String, String>> all = new ArrayList<>();
        for (int task = 0; task < tasks; task++) {
            all.add(settings);
        }
        return all;
    }

    @Override
    public void stop() {
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef()
            .define("host", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "InfluxDB's host.")
            .define("port", ConfigDef.Type.INT, ConfigDef.Importance.HIGH, "InfluxDB's port.");
    }

    @Override
    public String version() {
        return "1";
    }

    /** Writes what Connect's thread hands over, before it takes more. */
    public static final class LeanTask extends SinkTask {
        private static final byte[] MEASUREMENT = "cryptos ".getBytes(StandardCharsets.US_ASCII);
        private static final int LINES_MAX = 10_000;

        private String host;
        private int port;
        private Socket socket;
        private byte[] body = new byte[1 << 20];
        private int length;
        private final byte[] answer = new byte[4096];

        @Override
        public void start(Map<String, String> settings) {
            host = settings.get("host");
            port = Integer.parseInt(settings.get("port"));
        }

        @Override
        public void put(Collection<SinkRecord> records) {
            int lines = 0;
            for (SinkRecord record : records) {
                append((byte[]) record.value(), record.timestamp(), record.kafkaOffset());
                if (++lines == LINES_MAX) {
                    send();
                    lines = 0;
                }
            }
            if (lines > 0) {
                send();
            }
        }

        private void append(byte[] value, long timestamp, long offset) {
            if (body.length - length < value.length + 64) {
                body = java.util.Arrays.copyOf(body, body.length * 2);
            }
            int comma = 0;
            while (value[comma] != ',') {
                comma++;
            }
            System.arraycopy(MEASUREMENT, 0, body, length, MEASUREMENT.length);
            length += MEASUREMENT.length;
            System.arraycopy(value, 0, body, length, value.length);
            body[length + comma] = '=';
            length += value.length;
            body[length++] = ' ';
            number(timestamp * 1_000_000 + offset % 1_000_000);
            body[length++] = '\n';
        }

        private void number(long number) {
            int digits = 1;
            for (long rest = number; rest >= 10; rest /= 10) {
                digits++;
            }
            for (int at = length + digits - 1; at >= length; at--) {
                body[at] = (byte) ('0' + number % 10);
                number /= 10;
            }
            length += digits;
        }

        private void send() {
            try {
                if (socket == null) {
                    socket = new Socket(host, port);
                    socket.setTcpNoDelay(true);
                }
                String head = "POST /write?db=bench&precision=ns HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: " + length + "\r\n\r\n";
                OutputStream out = socket.getOutputStream();
                out.write(head.getBytes(StandardCharsets.US_ASCII));
                out.write(body, 0, length);
                length = 0;
                readAnswer(socket.getInputStream());
            } catch (IOException error) {
                socket = null;
                throw new RetriableException(error);
            }
        }

        /** A 204 without a body. */
        private void readAnswer(InputStream in) throws IOException {
            int read = 0;
            while (read < 4 || answer[read - 4] != '\r' || answer[read - 2] != '\r' || answer[read - 1] != '\n') {
                int more = in.read(answer, read, answer.length - read);
                if (more < 0) {
                    throw new IOException("the server closed the connection");
                }
                read += more;
            }
        }

        @Override
        public void stop() {
            try {
                if (socket != null) {
                    socket.close();
                }
            } catch (IOException error) {
                // It is at its end.
            }
        }

        @Override
        public String version() {
            return "1";
        }
    }
}
