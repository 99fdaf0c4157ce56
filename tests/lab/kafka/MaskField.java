package towpath.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * What plugins/mask-field does, as a single message transformation for MirrorMaker 2: replaces fields of JSON values by a text.
 * Written as such transformations usually are, with Jackson's tree.
 */
public final class MaskField<R extends ConnectRecord<R>> implements Transformation<R> {
    private static final String FIELDS = "fields";
    private static final String REPLACEMENT = "replacement";
    private static final ConfigDef CONFIG = new ConfigDef()
        .define(FIELDS, ConfigDef.Type.LIST, ConfigDef.Importance.HIGH, "paths like $.customer.card")
        .define(REPLACEMENT, ConfigDef.Type.STRING, "***", ConfigDef.Importance.LOW, "what the fields hold afterwards");

    private final ObjectMapper mapper = new ObjectMapper();
    private final List<String[]> paths = new ArrayList<>();
    private String replacement;

    @Override
    public void configure(Map<String, ?> configs) {
        Map<String, Object> parsed = CONFIG.parse(configs);
        for (Object path : (List<?>) parsed.get(FIELDS)) {
            paths.add(path.toString().replaceFirst("^\\$\\.", "").split("\\."));
        }
        replacement = (String) parsed.get(REPLACEMENT);
    }

    @Override
    public R apply(R record) {
        if (record.value() == null) {
            return record;
        }
        try {
            JsonNode root = mapper.readTree((byte[]) record.value());
            for (String[] path : paths) {
                mask(root, path);
            }
            return record.newRecord(record.topic(), record.kafkaPartition(), record.keySchema(), record.key(),
                record.valueSchema(), mapper.writeValueAsBytes(root), record.timestamp());
        } catch (IOException e) {
            throw new DataException("the value is not JSON", e);
        }
    }

    private void mask(JsonNode node, String[] path) {
        for (int member = 0; member < path.length - 1 && node != null; member++) {
            node = node.get(path[member]);
        }
        if (node instanceof ObjectNode object && object.has(path[path.length - 1])) {
            object.put(path[path.length - 1], replacement);
        }
    }

    @Override
    public ConfigDef config() {
        return CONFIG;
    }

    @Override
    public void close() {
    }
}
