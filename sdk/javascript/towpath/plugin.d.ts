// The types of plugin.js, for editors and for `tsc --checkJs`.

/** Bytes, a text for its UTF-8, or null. */
export type Data = Uint8Array | string | null;

/** The UTF-8 bytes of a text; bytes and null stay what they are. QuickJS has no TextEncoder. */
export function bytes(data: string): Uint8Array;
export function bytes(data: Data): Uint8Array | null;

/** The text of UTF-8 bytes, with U+FFFD in place of what is not UTF-8; null stays null. QuickJS has no TextDecoder. */
export function text(data: Uint8Array): string;
export function text(data: Uint8Array | null): string | null;

/**
 * The value of a JSON text; a SyntaxError where it is none: strict UTF-8, at most 127 levels, as the SDKs of all languages have it.
 */
export function json(data: Uint8Array): any;

/** One optional byte string a record, end to end: as the contract has columns. */
export interface Column {
  data: Uint8Array;
  ends: number[];
  nulls: number[];
}

/** A column as an array: one Uint8Array or null a record. The arrays are windows into the column, not copies. */
export function items(column: Column): (Uint8Array | null)[];

/** An array of texts, bytes or nulls as a column. */
export function column(items: Data[]): Column;

export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** A line in the worker's log. At most `plugin.log.lines` a second; `console.log` and its like make them, too. */
export function log(level: Level, message: string): void;

/** Adds to a counter of the plugin's own, shown at `/metrics`. At most 16 names of `[a-z0-9_]`. */
export function count(name: string, by?: number): void;

// --- configuration ---

export type ConfigType = "boolean" | "int" | "long" | "double" | "string" | "list" | "class" | "password";

/** A configuration key. `required`, `optional` and `withDefault` make it. */
export interface ConfigKey {
  readonly name: string;
}

export interface KeyOptions {
  importance?: "low" | "medium" | "high";
  /** What a console shows in place of the name. */
  displayName?: string;
  group?: string;
  order?: number;
  /** The values allowed; none: any. */
  validValues?: string[];
  /** Values proposed by a console, not enforced. */
  recommended?: string[];
}

/** A key that must be given. The host checks values against type and valid values before the plugin sees them. */
export function required(name: string, type: ConfigType, documentation: string, more?: KeyOptions): ConfigKey;
/** A key that may be given. */
export function optional(name: string, type: ConfigType, documentation: string, more?: KeyOptions): ConfigKey;
/** A key that has a value, given or not. */
export function withDefault(
  name: string,
  type: ConfigType,
  value: string,
  documentation: string,
  more?: KeyOptions,
): ConfigKey;

/** What a plugin is configured with: every key is known, and every value of its type. */
export class Config {
  /** undefined: an optional key that was not given. Here and below. */
  string(name: string): string | undefined;
  integer(name: string): number | undefined;
  double(name: string): number | undefined;
  boolean(name: string): boolean | undefined;
  list(name: string): string[] | undefined;
  /** Says what is wrong with a value: lower case, without key and value. All mistakes are told at once. */
  mistake(name: string, message: string): void;
}

export interface Descriptor {
  /** Lower case letters, digits and `-`. */
  name: string;
  /** As in semver. */
  version: string;
  /** What it does, for the person who chooses it. First sentence: the summary. */
  documentation: string;
  config?: ConfigKey[];
}

// --- records ---

export interface Header {
  key: string;
  value: Uint8Array | null;
}

/** A record to be written in place of another one. */
export interface Outgoing {
  key?: Data;
  value?: Data;
  headers?: { key: string; value: Data }[];
}

/**
 * Records of one partition, lent for one call, numbered from 0. Ask for whole columns: a call costs much more than a byte.
 * A column that is not in the plugin's `reads` breaks it.
 */
export class Batch {
  readonly length: number;
  readonly topic: string;
  readonly partition: number;
  readonly timestampType: "create-time" | "log-append-time";
  /** Exact up to 2^53, as all numbers here. */
  offsets(): number[];
  /** ms since the epoch; -1: none. */
  timestamps(): number[];
  keys(): (Uint8Array | null)[];
  /** null: a tombstone. */
  values(): (Uint8Array | null)[];
  key(index: number): Uint8Array | null;
  value(index: number): Uint8Array | null;
  headers(index: number): Header[];
  /** The last value of this header, a record; null where there is none, and where it is null. */
  headerColumn(key: string): (Uint8Array | null)[];
}

/** What a transformation wants done. Records may come in any order, the edits of one record apply in theirs. */
export class Edits {
  drop(index: number): void;
  setTopic(index: number, topic: string): void;
  setKey(index: number, key: Data): void;
  setValue(index: number, value: Data): void;
  setHeaders(index: number, headers: { key: string; value: Data }[]): void;
  appendHeader(index: number, key: string, value: Data): void;
  removeHeaders(index: number, key: string): void;
  replace(index: number, records: Outgoing[]): void;
  /** This record cannot be handled, for this reason; `errors.tolerance` decides what follows. */
  reject(index: number, reason: string): void;
}

// --- kinds ---

/** Thrown: the call as a whole failed, and the pipeline decides what follows. Any other error breaks the plugin. */
export class Failure extends Error {
  constructor(message: string, options?: { retriable?: boolean });
  readonly retriable: boolean;
}

export type Reads = ("key" | "value" | "header" | "timestamp" | "offset")[];
export type Effects = ("key" | "value" | "headers" | "drop" | "split" | "topic")[];

export interface Transformation {
  /** The columns it looks at; none: records are not decoded for it. */
  reads?: Reads;
  /** What its edits may do. */
  effects?: Effects;
  transform(batch: Batch, edits: Edits): void;
}

export interface Router {
  /** The target's name of a source topic; null: not routed. */
  mapTopic(topic: string): string | null;
  /** The inverse. */
  unmapTopic(topic: string): string | null;
}

export interface Predicate {
  reads?: Reads;
  /** Indexes of the records that match, ascending. Without reads: all or none. */
  matching(batch: Batch): Iterable<number>;
}

/** A source record and what became of it: indexes into the batches; null: there is none on that side. */
export interface Pair {
  source: number | null;
  target: number | null;
}

export interface Validator {
  reads?: Reads;
  /** The pairs that are wrong, ascending: index into `pairs`, and why, without the record's content. */
  validate(source: Batch, target: Batch, pairs: Pair[]): Iterable<{ index: number; reason: string }>;
}

export interface Finding {
  severity: "info" | "warning" | "blocking";
  subject: string;
  message: string;
  expected?: string;
  found?: string;
  remedy?: string;
}

export interface SchemaVersion {
  version: number;
  id: number;
  guid: string | null;
  schemaType: string;
  schema: string;
  references: { name: string; subject: string; version: number }[];
  metadata: string | null;
  ruleSet: string | null;
  deleted: boolean;
}

export interface SubjectState {
  subject: string;
  compatibility: string;
  mode: string;
  versions: SchemaVersion[];
}

export interface SchemaChecker {
  /** null: the subject does not exist on that side. */
  check(source: SubjectState | null, target: SubjectState | null): Finding[];
}

export interface AclBinding {
  resourceType: string;
  resourceName: string;
  patternType: string;
  principal: string;
  host: string;
  operation: string;
  permission: string;
}

export interface AclChecker {
  /** What must be there now, what will be granted later, and what is there. */
  check(due: AclBinding[], pending: AclBinding[], target: AclBinding[]): Finding[];
}

/** Reads the configuration once, before anything else, and gives the configured plugin. */
export type Configure<Kind> = (config: Config) => Kind;

export function transformation(
  descriptor: Descriptor,
  configure: Configure<Transformation>,
): { plugin: object; transformation: object };
export function router(descriptor: Descriptor, configure: Configure<Router>): { plugin: object; router: object };
export function predicate(
  descriptor: Descriptor,
  configure: Configure<Predicate>,
): { plugin: object; predicate: object };
export function validator(
  descriptor: Descriptor,
  configure: Configure<Validator>,
): { plugin: object; validator: object };
export function schemaChecker(
  descriptor: Descriptor,
  configure: Configure<SchemaChecker>,
): { plugin: object; schemaChecker: object };
export function aclChecker(
  descriptor: Descriptor,
  configure: Configure<AclChecker>,
): { plugin: object; aclChecker: object };
