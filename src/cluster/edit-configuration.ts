import { isCollection, isMap, isScalar, parseDocument, type Document } from 'yaml';

/** A key of a configuration and its new value; undefined: it is taken out, and the default holds. */
export interface ConfigurationEdit {
  /** `['manager', 'scheduling', 'repeatInterval']`. Below `components.scanner.config` it goes on within the text that stands there. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/** The same text with other values: order, comments and all else stay as they were written. The text has to be YAML. */
export function editConfiguration(text: string, edits: readonly ConfigurationEdit[]): string {
  const document = parseDocument(text);
  for (const { path, value } of edits) edit(document, path, value);
  return document.toString({ lineWidth: 0 });
}

/** A plain value; undefined: the key is not there, or has no value. */
export function readInConfiguration(text: string, path: readonly string[]): unknown {
  const document = parseDocument(text);
  const { outer, inner } = splitAtText(document, path);
  const found: unknown = document.getIn(outer);
  if (inner.length > 0) return typeof found === 'string' ? readInConfiguration(found, inner) : undefined;
  const value: unknown = isCollection(found) ? found.toJS(document) : found;
  return value ?? undefined;
}

function edit(document: Document, path: readonly string[], value: unknown): void {
  const { outer, inner } = splitAtText(document, path);
  if (inner.length > 0) {
    const within = document.getIn(outer);
    const changed = editConfiguration(typeof within === 'string' ? within : '', [{ path: inner, value }]);
    document.setIn(outer, Object.assign(document.createNode(changed), { type: 'BLOCK_LITERAL' }));
  } else if (value === undefined) {
    document.deleteIn(path);
  } else {
    dropEmptySections(document, path);
    replace(document, path, value);
  }
}

/** A key such as `scheduling:` with nothing below it holds null, and takes no keys. */
function dropEmptySections(document: Document, path: readonly string[]): void {
  for (let length = 1; length < path.length; length++) {
    const found = document.getIn(path.slice(0, length), true);
    if (isScalar(found) && found.value === null) document.deleteIn(path.slice(0, length));
  }
}

/** A text keeps the comment behind it, and its quotes. */
function replace(document: Document, path: readonly string[], value: unknown): void {
  const found = document.getIn(path, true);
  const isPlain = typeof value !== 'object' || value === null;
  if (isScalar(found) && isPlain && typeof found.value === typeof value) found.value = value;
  else document.setIn(path, Object.assign(document.createNode(value), isScalar(found) ? { comment: found.comment } : {}));
}

/** YAML that is a text within YAML. */
const EMBEDDED = ['components', 'scanner', 'config'];

function splitAtText(
  document: Document,
  path: readonly string[],
): { readonly outer: readonly string[]; readonly inner: readonly string[] } {
  const isEmbedded = EMBEDDED.every((key, at) => path[at] === key) && !isMap(document.getIn(EMBEDDED));
  return isEmbedded ? { outer: EMBEDDED, inner: path.slice(EMBEDDED.length) } : { outer: path, inner: [] };
}

/** At these intervals, whatever was there before: a cron expression would hold before the interval. */
export function withIntervalHours(text: string, hours: number): string {
  const scheduling = ['manager', 'scheduling'];
  return editConfiguration(text, [
    { path: [...scheduling, 'repeatInterval'], value: `${hours}h` },
    { path: [...scheduling, 'cron'], value: undefined },
  ]);
}
