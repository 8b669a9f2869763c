import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, type YAMLError, type YAMLWarning } from 'yaml';

/** Ten times a long configuration. Within it every text that was tried, well or ill formed, is read in a quarter of a second. */
const MOST_TOKENS = 20_000;
/** Far more than any configuration has; the reader itself ends at some 700, with the stack. */
const DEEPEST = 100;
const TOO_DEEP = `nested more than ${DEEPEST} deep`;

export type ParsedYaml = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string };

/**
 * One YAML document to plain values, null when it is empty. For files from anywhere: no aliases, of which a few lines make gigabytes; no
 * key twice, of which one would be lost; no depth that overflows the stack.
 */
export function parseYaml(text: string, mostTokens = MOST_TOKENS): ParsedYaml {
  if (hasMoreTokens(text, mostTokens)) return { ok: false, message: `more YAML than a configuration can be (${mostTokens} tokens)` };
  const lines = new LineCounter();
  // The package compares each key with all others of its mapping, and underlines every error: both take the square of the size.
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false, lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `at line ${line}, column ${col}`;
  };
  // A warning is of a tag that is not known: its value would be taken for what it is not.
  const error = document.errors[0] ?? document.warnings[0];
  if (error !== undefined) return { ok: false, message: `${explainError(error)} ${at(error.pos[0])}` };
  const fault = findFault(document.contents, 0);
  if (fault !== null) return { ok: false, message: `${fault.message} ${at(fault.offset)}` };
  return { ok: true, value: document.toJS() as unknown };
}

function hasMoreTokens(text: string, most: number): boolean {
  const tokens = new Lexer().lex(text);
  for (let count = 0; count <= most; count++) if (tokens.next().done === true) return false;
  return true;
}

function explainError({ code, message }: YAMLError | YAMLWarning): string {
  if (code === 'RESOURCE_EXHAUSTION') return TOO_DEEP;
  return code === 'MULTIPLE_DOCS' ? 'more than one YAML document: the second begins' : `not YAML: ${message}`;
}

interface Fault {
  readonly message: string;
  readonly offset: number;
}

function findFault(node: unknown, depth: number): Fault | null {
  if (isAlias(node)) return { message: `the alias *${node.source} is not allowed; write the value itself`, offset: node.range?.[0] ?? 0 };
  if (!isMap(node) && !isSeq(node)) return null;
  if (depth === DEEPEST) return { message: TOO_DEEP, offset: node.range?.[0] ?? 0 };
  if (isSeq(node)) return firstFault(node.items, (item) => findFault(item, depth + 1));
  const keys = new Set<unknown>();
  return firstFault(node.items, ({ key, value }) => {
    if (!isScalar(key)) return findFault(key, depth + 1) ?? { message: 'a key is no plain text', offset: node.range?.[0] ?? 0 };
    const name = String(key.value);
    if (keys.has(name)) return { message: `the key ${JSON.stringify(name)} is there twice: again`, offset: key.range?.[0] ?? 0 };
    keys.add(name);
    return findFault(value, depth + 1);
  });
}

function firstFault<Item>(items: readonly Item[], find: (item: Item) => Fault | null): Fault | null {
  for (const item of items) {
    const fault = find(item);
    if (fault !== null) return fault;
  }
  return null;
}
