// Towpath's SDK for plugins in JavaScript. It belongs to the `towpath` program, which writes it anew: do not edit.
//
// One call describes and exports a plugin; `plugin.d.ts` beside this file says what everything is.
import { log as hostLog, count as hostCount } from "towpath:plugin/host@0.1.0";

// --- texts and columns ---

/** The UTF-8 bytes of a text; bytes and null stay what they are. (QuickJS has no TextEncoder.) */
export function bytes(data) {
  if (typeof data !== "string") {
    return data;
  }
  const out = new Uint8Array(data.length * 3);
  let end = 0;
  for (let at = 0; at < data.length; at += 1) {
    let code = data.charCodeAt(at);
    if (code < 0x80) {
      out[end++] = code;
      continue;
    }
    if (code >= 0xd800 && code <= 0xdfff) {
      // half a pair is no character
      code = data.codePointAt(at);
      code = code >= 0x10000 ? code : 0xfffd;
      at += code >= 0x10000 ? 1 : 0;
    }
    if (code < 0x800) {
      out[end++] = 0xc0 | (code >> 6);
    } else {
      if (code < 0x10000) {
        out[end++] = 0xe0 | (code >> 12);
      } else {
        out[end++] = 0xf0 | (code >> 18);
        out[end++] = 0x80 | ((code >> 12) & 0x3f);
      }
      out[end++] = 0x80 | ((code >> 6) & 0x3f);
    }
    out[end++] = 0x80 | (code & 0x3f);
  }
  return out.slice(0, end);
}

/** The text of UTF-8 bytes, with U+FFFD in place of what is not UTF-8; null stays null. (QuickJS has no TextDecoder.) */
export function text(data) {
  if (data === null) {
    return null;
  }
  const parts = [];
  let codes = [];
  let at = 0;
  while (at < data.length) {
    const first = data[at++];
    if (first < 0x80) {
      codes.push(first);
    } else {
      // how many bytes follow, and the range of the next one (Unicode 3.9, table 3-7)
      const more = first >= 0xc2 && first <= 0xdf ? 1 : first >= 0xe0 && first <= 0xef ? 2 : first >= 0xf0 && first <= 0xf4 ? 3 : 0;
      let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      let code = more === 0 ? 0xfffd : first & (0x3f >> more);
      for (let left = more; left > 0; left -= 1) {
        const next = data[at];
        if (next === undefined || next < low || next > high) {
          code = 0xfffd;
          break;
        }
        code = (code << 6) | (next & 0x3f);
        at += 1;
        [low, high] = [0x80, 0xbf];
      }
      codes.push(code);
    }
    if (codes.length >= 4096) {
      parts.push(String.fromCodePoint(...codes));
      codes = [];
    }
  }
  parts.push(String.fromCodePoint(...codes));
  return parts.join("");
}

/** Levels of arrays and objects. The SDKs of all languages take the same texts for JSON. */
const LEVELS = 127;

/** The value of a JSON text. An error that is no SyntaxError is none of the text's. */
export function json(data) {
  const parsed = text(data);
  // what is not UTF-8 is not JSON
  if (parsed.includes("\ufffd") && !same(bytes(parsed), data)) {
    throw new SyntaxError("not UTF-8");
  }
  if (occurs(parsed, "[") + occurs(parsed, "{") > LEVELS && isTooDeep(parsed)) {
    throw new SyntaxError("too deep");
  }
  return JSON.parse(parsed);
}

function same(one, other) {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** How often, counted to one above the levels. */
function occurs(parsed, mark) {
  let times = 0;
  for (let at = parsed.indexOf(mark); at !== -1 && times <= LEVELS; at = parsed.indexOf(mark, at + 1)) {
    times += 1;
  }
  return times;
}

function isTooDeep(parsed) {
  let level = 0;
  let inString = false;
  for (let at = 0; at < parsed.length && level <= LEVELS; at += 1) {
    const mark = parsed[at];
    if (mark === '"') {
      inString = !inString;
    } else if (mark === "\\") {
      at += 1;
    } else if (!inString && (mark === "[" || mark === "{")) {
      level += 1;
    } else if (!inString && (mark === "]" || mark === "}")) {
      level -= 1;
    }
  }
  return level > LEVELS;
}

/** A column as an array: one Uint8Array or null a record. The arrays are windows into the column, not copies. */
export function items(column) {
  const data = column.data instanceof Uint8Array ? column.data : Uint8Array.from(column.data);
  const all = new Array(column.ends.length);
  let start = 0;
  for (let index = 0; index < all.length; index += 1) {
    const end = column.ends[index];
    all[index] = data.subarray(start, end);
    start = end;
  }
  for (const index of column.nulls) {
    all[index] = null;
  }
  return all;
}

/** An array of texts, bytes or nulls as a column. */
export function column(all) {
  const parts = all.map((item) => bytes(item));
  const data = new Uint8Array(parts.reduce((sum, part) => sum + (part === null ? 0 : part.length), 0));
  const ends = [];
  const nulls = [];
  let end = 0;
  parts.forEach((part, index) => {
    if (part === null) {
      nulls.push(index);
    } else {
      data.set(part, end);
      end += part.length;
    }
    ends.push(end);
  });
  return { data, ends, nulls };
}

// --- the host ---

/** A line in the worker's log. */
export function log(level, message) {
  hostLog(level, String(message));
}

/** Adds to a counter of the plugin's own. */
export function count(name, by = 1) {
  hostCount(name, by);
}

/** QuickJS has no console. */
globalThis.console ??= Object.fromEntries(
  ["trace", "debug", "log", "info", "warn", "error"].map((name) => {
    const level = name === "log" ? "info" : name;
    return [name, (...parts) => hostLog(level, parts.map(shown).join(" "))];
  }),
);

function shown(part) {
  if (typeof part === "string") {
    return part;
  }
  return part instanceof Error ? String(part) : (JSON.stringify(part) ?? String(part));
}

// --- configuration ---

function configKey(name, type, presence, documentation, more = {}) {
  return {
    name,
    configType: type,
    presence,
    importance: more.importance ?? "medium",
    documentation,
    displayName: more.displayName ?? "",
    group: more.group ?? "",
    order: more.order ?? 0,
    validValues: more.validValues ?? [],
    recommended: more.recommended ?? [],
  };
}

/** A key that must be given. */
export function required(name, type, documentation, more) {
  return configKey(name, type, { tag: "required" }, documentation, more);
}

/** A key that may be given. */
export function optional(name, type, documentation, more) {
  return configKey(name, type, { tag: "optional" }, documentation, more);
}

/** A key that has a value, given or not. */
export function withDefault(name, type, value, documentation, more) {
  return configKey(name, type, { tag: "default", val: value }, documentation, more);
}

/** What a plugin is configured with: every key is known, and every value of its type. */
export class Config {
  #values;
  mistakes = [];

  constructor(pairs) {
    this.#values = new Map(pairs);
  }

  string(name) {
    return this.#values.get(name);
  }

  integer(name) {
    const value = this.#values.get(name);
    return value === undefined ? undefined : Number.parseInt(value.trim(), 10);
  }

  double(name) {
    const value = this.#values.get(name);
    return value === undefined ? undefined : Number.parseFloat(value.trim());
  }

  boolean(name) {
    const value = this.#values.get(name);
    return value === undefined ? undefined : value.trim().toLowerCase() === "true";
  }

  list(name) {
    const value = this.#values.get(name);
    if (value === undefined) {
      return undefined;
    }
    return value.split(",").map((item) => item.trim()).filter((item) => item !== "");
  }

  /** Says what is wrong with a value. All mistakes are told at once, when the plugin has looked at everything. */
  mistake(name, message) {
    this.mistakes.push({ key: name, message });
  }
}

// --- records ---

/** Records of one partition, lent for one call. */
export class Batch {
  #lent;

  constructor(lent) {
    this.#lent = lent;
    this.length = lent.len();
  }

  get topic() {
    return this.#lent.topic();
  }

  get partition() {
    return this.#lent.partition();
  }

  get timestampType() {
    return this.#lent.timestampType();
  }

  offsets() {
    return this.#lent.offsets();
  }

  timestamps() {
    return this.#lent.timestamps();
  }

  keys() {
    return items(this.#lent.keys());
  }

  values() {
    return items(this.#lent.values());
  }

  key(index) {
    return this.#lent.key(index);
  }

  value(index) {
    return this.#lent.value(index);
  }

  headers(index) {
    return this.#lent.headers(index);
  }

  headerColumn(key) {
    return items(this.#lent.headerColumn(key));
  }
}

/** What a transformation wants done. Records may come in any order, the edits of one record apply in theirs. */
export class Edits {
  #edits = [];
  #values = new Map();

  drop(index) {
    this.#edits.push([index, { tag: "drop" }]);
  }

  setTopic(index, topic) {
    this.#edits.push([index, { tag: "set-topic", val: topic }]);
  }

  setKey(index, key) {
    this.#edits.push([index, { tag: "set-key", val: bytes(key) }]);
  }

  /** Goes into one column with all new values of the batch. */
  setValue(index, value) {
    this.#values.set(index, bytes(value));
  }

  setHeaders(index, headers) {
    this.#edits.push([index, { tag: "set-headers", val: headers.map(header) }]);
  }

  appendHeader(index, key, value) {
    this.#edits.push([index, { tag: "append-header", val: header({ key, value }) }]);
  }

  removeHeaders(index, key) {
    this.#edits.push([index, { tag: "remove-headers", val: key }]);
  }

  replace(index, records) {
    const outgoing = records.map((record) => ({
      key: bytes(record.key ?? null),
      value: bytes(record.value ?? null),
      headers: (record.headers ?? []).map(header),
    }));
    this.#edits.push([index, { tag: "replace", val: outgoing }]);
  }

  reject(index, reason) {
    this.#edits.push([index, { tag: "reject", val: reason }]);
  }

  /** As the contract has them: ascending, values in a column of their own. */
  finish() {
    const rows = [...this.#values.keys()].sort((one, other) => one - other);
    const values = column(rows.map((row) => this.#values.get(row)));
    return { edits: this.#edits.sort((one, other) => one[0] - other[0]), values: { rows, values } };
  }
}

function header({ key, value }) {
  return { key, value: bytes(value ?? null) };
}

// --- kinds ---

/** Thrown: the call as a whole failed, and the pipeline decides what follows. Any other error breaks the plugin. */
export class Failure extends Error {
  constructor(message, { retriable = false } = {}) {
    super(message);
    this.retriable = retriable;
  }
}

/** The plugin is broken: the worker's status has the error, and a fresh instance takes over. */
function broken(error) {
  hostLog("error", error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error));
  throw error;
}

function flags(names, what) {
  if (names !== undefined && !Array.isArray(names)) {
    throw new TypeError(`${what} must be a list of names`);
  }
  return Object.fromEntries((names ?? []).map((name) => [name, true]));
}

/** Calls the configured plugin: failures become the contract's, other errors break it. */
function call(made) {
  try {
    return made();
  } catch (error) {
    if (error instanceof Failure) {
      throw { message: error.message, retriable: error.retriable };
    }
    return broken(error);
  }
}

/** The interface `plugin`, and how the interface of the kind reaches what was configured. */
function define(descriptor, configure) {
  let configured;
  const plugin = {
    describe() {
      return { config: [], ...descriptor };
    },
    init(pairs) {
      const config = new Config(pairs);
      let needs;
      try {
        configured = configure(config);
        if (config.mistakes.length === 0) {
          needs = { reads: flags(configured.reads, "reads"), effects: flags(configured.effects, "effects") };
        }
      } catch (error) {
        return broken(error);
      }
      if (needs === undefined) {
        throw config.mistakes;
      }
      return needs;
    },
  };
  return [plugin, () => configured];
}

/** A transformation: `transform(batch, edits)`. */
export function transformation(descriptor, configure) {
  const [plugin, configured] = define(descriptor, configure);
  const transform = (lent) =>
    call(() => {
      const edits = new Edits();
      configured().transform(new Batch(lent), edits);
      return edits.finish();
    });
  return { plugin, transformation: { transform } };
}

/** A router: `mapTopic(topic)` and `unmapTopic(topic)`, each other's inverse; null: not routed. */
export function router(descriptor, configure) {
  const [plugin, configured] = define(descriptor, configure);
  const mapTopic = (topic) => call(() => configured().mapTopic(topic) ?? null);
  const unmapTopic = (topic) => call(() => configured().unmapTopic(topic) ?? null);
  return { plugin, router: { mapTopic, unmapTopic } };
}

/** A predicate: `matching(batch)` gives the indexes of the records that match. */
export function predicate(descriptor, configure) {
  const [plugin, configured] = define(descriptor, configure);
  const matching = (lent) => call(() => [...configured().matching(new Batch(lent))]);
  return { plugin, predicate: { matching } };
}

/** A validator: `validate(source, target, pairs)` gives the pairs that are wrong, each with its reason. */
export function validator(descriptor, configure) {
  const [plugin, configured] = define(descriptor, configure);
  const validate = (source, target, pairs) =>
    call(() => [...configured().validate(new Batch(source), new Batch(target), pairs)]);
  return { plugin, validator: { validate } };
}

/** A schema checker: `check(source, target)` gives findings; null: the subject does not exist on that side. */
export function schemaChecker(descriptor, configure) {
  const [plugin, configured] = define(descriptor, configure);
  const check = (source, target) => call(() => configured().check(source, target).map(finding));
  return { plugin, schemaChecker: { check } };
}

/** An ACL checker: `check(due, pending, target)` gives findings. */
export function aclChecker(descriptor, configure) {
  const [plugin, configured] = define(descriptor, configure);
  const check = (due, pending, target) => call(() => configured().check(due, pending, target).map(finding));
  return { plugin, aclChecker: { check } };
}

function finding({ severity, subject, message, expected = null, found = null, remedy = null }) {
  return { severity, subject, message, expected, found, remedy };
}
