// Adds a header to every record, as plugins/insert-header does in Rust: the same golden cases hold for both.
import * as towpath from "./towpath/plugin.js";

const described = {
  name: "insert-header",
  version: "0.1.0",
  documentation:
    "Adds a header with a fixed value to every record, as Connect's InsertHeader does. What becomes of headers " +
    "that are there already can be chosen.",
  config: [
    towpath.required("header", "string", "The header's key."),
    towpath.required("value.literal", "string", "The header's value. Its UTF-8 bytes are written as they are."),
    towpath.withDefault(
      "existing",
      "string",
      "append",
      "What becomes of a record that has headers of this key: append adds one more behind them, keep leaves such a record " +
        "as it is (a null value counts as none), replace removes them.",
      { validValues: ["append", "keep", "replace"] },
    ),
  ],
};

export const { plugin, transformation } = towpath.transformation(described, (config) => {
  const header = config.string("header") ?? "";
  if (header === "") {
    config.mistake("header", "must not be empty; a header's key, such as mirrored-from");
  }
  const value = towpath.bytes(config.string("value.literal") ?? "");
  const existing = (config.string("existing") ?? "").trim();
  return {
    reads: existing === "keep" ? ["header"] : [],
    effects: ["headers"],
    transform(batch, edits) {
      const present = existing === "keep" ? batch.headerColumn(header) : null;
      for (let index = 0; index < batch.length; index += 1) {
        if (existing === "replace") {
          edits.removeHeaders(index, header);
        }
        if (present === null || present[index] === null) {
          edits.appendHeader(index, header, value);
        }
      }
    },
  };
});
