import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.StringJoiner;
import java.util.function.BiPredicate;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecords.RecordFilter;
import org.apache.kafka.common.record.internal.MemoryRecords.RecordFilter.BatchRetention;
import org.apache.kafka.common.record.internal.MemoryRecords.RecordFilter.BatchRetentionResult;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.BufferSupplier;

/**
 * Kafka's own classes as the judge of Towpath's batch codec.
 *
 * {@code Records.java write}: record sets as Kafka writes them, a JSON line each: name, bytes (hex), what Kafka reads from them.
 * {@code Records.java read}: lines of {@code name hex} from standard input; the same JSON lines back. A bad checksum ends the program.
 */
public class Records {
    static final HexFormat HEX = HexFormat.of();
    static final long BASE_OFFSET = 1_000;
    static final long NOW = 1_700_000_000_000L;

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            write();
        } else {
            // All of it before the first answer: the other side writes all of it before it reads.
            for (String line : new String(System.in.readAllBytes(), StandardCharsets.UTF_8).lines().toList()) {
                String[] parts = line.split(" ");
                print(parts[0], ByteBuffer.wrap(HEX.parseHex(parts[1])));
            }
        }
    }

    // === what is written ===

    static void write() {
        for (byte magic = 0; magic <= 2; magic++) {
            for (CompressionType type : CompressionType.values()) {
                if (type == CompressionType.ZSTD && magic < 2) continue;
                String name = "magic-" + magic + "-" + type.name;
                print(name + "-create", build(magic, type, TimestampType.CREATE_TIME, sample(magic, 60), 1).buffer());
                print(name + "-one", build(magic, type, TimestampType.CREATE_TIME, sample(magic, 1), 1).buffer());
                print(name + "-gaps", build(magic, type, TimestampType.CREATE_TIME, sample(magic, 30), 3).buffer());
                print(name + "-large", build(magic, type, TimestampType.CREATE_TIME, large(), 1).buffer());
                if (magic > 0)
                    print(name + "-append", build(magic, type, TimestampType.LOG_APPEND_TIME, sample(magic, 60), 1).buffer());
                if (magic == 2) {
                    MemoryRecords whole = build(magic, type, TimestampType.CREATE_TIME, sample(magic, 60), 1);
                    print(name + "-transactional", transactional(type, sample(magic, 10)).buffer());
                    print(name + "-odd-removed", filter(whole, BatchRetention.DELETE_EMPTY, (batch, record) -> record.offset() % 2 == 0));
                    print(name + "-last-removed", filter(whole, BatchRetention.DELETE_EMPTY, (batch, record) -> record.offset() < batch.lastOffset() - 3));
                    print(name + "-emptied", filter(whole, BatchRetention.RETAIN_EMPTY, (batch, record) -> false));
                    print(name + "-horizon", filter(whole, BatchRetention.DELETE_EMPTY, (batch, record) -> true));
                    ByteBuffer gaps = filter(whole, BatchRetention.DELETE_EMPTY, (batch, record) -> record.offset() % 5 != 2);
                    print(name + "-horizon-twice", filter(MemoryRecords.readableRecords(gaps), BatchRetention.DELETE_EMPTY, (batch, record) -> true));
                }
            }
        }
        print("control-commit", MemoryRecords.withEndTransactionMarker(BASE_OFFSET, NOW, 3, 77, (short) 2,
            new EndTransactionMarker(ControlRecordType.COMMIT, 5)).buffer());
        print("control-leader-change", MemoryRecords.withLeaderChangeMessage(BASE_OFFSET, NOW, 3, ByteBuffer.allocate(512),
            new LeaderChangeMessage().setLeaderId(1)).buffer());
        ByteBuffer several = ByteBuffer.allocate(1 << 20);
        for (CompressionType type : CompressionType.values())
            several.put(build((byte) 2, type, TimestampType.CREATE_TIME, sample(2, 7), 1).buffer().duplicate());
        for (byte magic = 0; magic < 2; magic++)
            several.put(build(magic, CompressionType.GZIP, TimestampType.CREATE_TIME, sample(magic, 7), 1).buffer().duplicate());
        print("several", several.flip());
    }

    /** One record of a case; what a magic cannot hold is left out of it. */
    record Sample(long timestamp, byte[] key, byte[] value, Header[] headers) {}

    static List<Sample> sample(int magic, int count) {
        Random random = new Random(42);
        List<Sample> samples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            // Before and behind the first record's.
            long timestamp = magic == 0 ? RecordBatch.NO_TIMESTAMP : NOW + (i == 0 ? 0 : random.nextInt(2_000_000) - 1_000_000);
            byte[] key = i % 4 == 1 ? null : i % 4 == 2 ? new byte[0] : ("key-" + i).getBytes(StandardCharsets.UTF_8);
            byte[] value = i % 5 == 1 ? null : i % 5 == 2 ? new byte[0] : text(random, random.nextInt(300));
            Header[] headers = new Header[magic < 2 ? 0 : i % 3];
            for (int h = 0; h < headers.length; h++) {
                byte[] content = i % 7 == 0 ? null : i % 7 == 1 ? new byte[0] : text(random, 20);
                headers[h] = new RecordHeader(i % 2 == 0 ? "twice" : h == 0 ? "" : "größe-" + h, content);
            }
            samples.add(new Sample(timestamp, key, value, headers));
        }
        return samples;
    }

    /** Several blocks of every codec, among them blocks that do not compress. */
    static List<Sample> large() {
        Random random = new Random(7);
        byte[] noise = new byte[100_000];
        random.nextBytes(noise);
        return List.of(
            new Sample(NOW, null, noise, Record.EMPTY_HEADERS),
            new Sample(NOW, null, text(random, 70_000), Record.EMPTY_HEADERS),
            new Sample(NOW, null, new byte[150_000], Record.EMPTY_HEADERS));
    }

    static byte[] text(Random random, int length) {
        byte[] text = new byte[length];
        for (int i = 0; i < length; i++) text[i] = (byte) ('a' + random.nextInt(1 + i % 9));
        return text;
    }

    static MemoryRecords build(byte magic, CompressionType type, TimestampType timestamps, List<Sample> samples, int step) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20), magic, Compression.of(type).build(), timestamps, BASE_OFFSET, NOW + 5);
        long offset = BASE_OFFSET;
        for (Sample sample : samples) {
            builder.appendWithOffset(offset, sample.timestamp, sample.key, sample.value, sample.headers);
            offset += step;
        }
        return builder.build();
    }

    static MemoryRecords transactional(CompressionType type, List<Sample> samples) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), Compression.of(type).build(), BASE_OFFSET, 4_711L, (short) 3, 1_000_000, true);
        for (Sample sample : samples) builder.append(sample.timestamp, sample.key, sample.value, sample.headers);
        return builder.build();
    }

    /** What the log cleaner makes of it, at a time that sets delete horizons. */
    static ByteBuffer filter(MemoryRecords records, BatchRetention retention, BiPredicate<RecordBatch, Record> keep) {
        ByteBuffer output = ByteBuffer.allocate(1 << 20);
        records.filterTo(new RecordFilter(NOW + 10_000_000, 86_400_000) {
            @Override
            protected BatchRetentionResult checkBatchRetention(RecordBatch batch) {
                return new BatchRetentionResult(retention, false);
            }

            @Override
            protected boolean shouldRetainRecord(RecordBatch batch, Record record) {
                return keep.test(batch, record);
            }
        }, output, BufferSupplier.NO_CACHING);
        return output.flip();
    }

    // === what is read ===

    static void print(String name, ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        StringJoiner batches = new StringJoiner(",", "[", "]");
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(copy)).batches()) {
            batch.ensureValid();
            batches.add(describe(batch));
        }
        System.out.println("{\"name\":\"" + name + "\",\"bytes\":\"" + HEX.formatHex(copy) + "\",\"batches\":" + batches + "}");
    }

    static String describe(MutableRecordBatch batch) {
        StringJoiner records = new StringJoiner(",", "[", "]");
        for (Record record : batch) {
            record.ensureValid();
            StringJoiner headers = new StringJoiner(",", "[", "]");
            for (Header header : record.headers())
                headers.add("[" + hex(header.key().getBytes(StandardCharsets.UTF_8)) + "," + hex(header.value()) + "]");
            records.add("{\"offset\":" + record.offset() + ",\"timestamp\":" + record.timestamp() + ",\"key\":" + hex(record.key())
                + ",\"value\":" + hex(record.value()) + ",\"headers\":" + headers + "}");
        }
        long horizon = batch.deleteHorizonMs().orElse(-1);
        return "{\"magic\":" + batch.magic() + ",\"size\":" + batch.sizeInBytes()
            + ",\"baseOffset\":" + (batch.magic() < 2 ? -1 : batch.baseOffset()) + ",\"nextOffset\":" + batch.nextOffset()
            + ",\"codec\":\"" + batch.compressionType().name + "\",\"logAppendTime\":" + (batch.timestampType() == TimestampType.LOG_APPEND_TIME)
            + ",\"transactional\":" + batch.isTransactional() + ",\"control\":" + batch.isControlBatch() + ",\"horizon\":" + horizon
            + ",\"leaderEpoch\":" + batch.partitionLeaderEpoch()
            + ",\"producerId\":" + batch.producerId() + ",\"producerEpoch\":" + batch.producerEpoch() + ",\"baseSequence\":" + batch.baseSequence()
            + ",\"count\":" + (batch.magic() < 2 ? -1 : batch.countOrNull()) + ",\"maxTimestamp\":" + batch.maxTimestamp()
            + ",\"records\":" + records + "}";
    }

    static String hex(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return hex(bytes);
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "null" : "\"" + HEX.formatHex(bytes) + "\"";
    }
}
