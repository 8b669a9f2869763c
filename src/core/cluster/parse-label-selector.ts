import { labelKeyFault, labelValueFault } from './label-grammar.ts';
import { parseLabelNumber, type LabelRequirement, type LabelSelector } from './label-selector.ts';

export type ParsedLabelSelector =
  | { readonly ok: true; readonly selector: LabelSelector }
  | { readonly ok: false; /** What is wrong with it, and where. */ readonly message: string };

/**
 * Parses a label selector as kubectl's `-l` takes it: `key`, `!key`, `key=value`, `key==value`, `key!=value`, `key in (a,b)`, `key notin (a)`,
 * `key>1`, `key<1`, several of them joined by commas. As apimachinery's `labels.Parse`, but for one thing: an empty text, which there selects
 * everything, is refused here.
 */
export function parseLabelSelector(text: string): ParsedLabelSelector {
  const tokens = new Tokens(text);
  try {
    if (tokens.peek() === null) throw new SelectorFault('it is empty');
    const requirements = [parseRequirement(tokens)];
    while (tokens.take(',')) requirements.push(parseRequirement(tokens));
    if (tokens.peek() !== null) throw tokens.expected('"," or the end');
    return { ok: true, selector: { text, requirements } };
  } catch (error) {
    if (!(error instanceof SelectorFault)) throw error;
    return { ok: false, message: error.message };
  }
}

/** Only to leave the descent; it never leaves this file. */
class SelectorFault extends Error {}

const SYMBOLS: ReadonlySet<string> = new Set(['=', '==', '!=', '!', '(', ')', ',', '>', '<']);
const TOKEN = /==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+/g;

class Tokens {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = text.match(TOKEN) ?? [];
  }

  peek(): string | null {
    return this.#tokens[this.#at] ?? null;
  }

  take(token: string): boolean {
    if (this.peek() !== token) return false;
    this.#at += 1;
    return true;
  }

  /** A key, a value, or a word such as `in`. */
  takeWord(): string | null {
    const next = this.peek();
    if (next === null || SYMBOLS.has(next)) return null;
    this.#at += 1;
    return next;
  }

  expected(what: string): SelectorFault {
    return new SelectorFault(
      this.peek() === null ? `it ends where ${what} is expected` : `"${this.peek()}" stands where ${what} is expected`,
    );
  }
}

function parseRequirement(tokens: Tokens): LabelRequirement {
  const isAbsent = tokens.take('!');
  const key = tokens.takeWord();
  if (key === null) throw tokens.expected(isAbsent ? 'a label after "!"' : 'a label');
  checkKey(key);
  if (isAbsent) return { kind: 'absent', key };
  if (tokens.peek() === null || tokens.peek() === ',') return { kind: 'exists', key };
  if (tokens.take('=') || tokens.take('==')) return { kind: 'in', key, values: [parseValue(tokens)] };
  if (tokens.take('!=')) return { kind: 'not-in', key, values: [parseValue(tokens)] };
  if (tokens.take('in')) return { kind: 'in', key, values: parseValues(tokens) };
  if (tokens.take('notin')) return { kind: 'not-in', key, values: parseValues(tokens) };
  if (tokens.take('>')) return { kind: 'greater', key, than: parseNumber(tokens) };
  if (tokens.take('<')) return { kind: 'less', key, than: parseNumber(tokens) };
  throw tokens.expected('=, ==, !=, in, notin, > or <');
}

/** `key=` is the empty value. */
function parseValue(tokens: Tokens): string {
  if (tokens.peek() === null || tokens.peek() === ',') return '';
  const value = tokens.takeWord();
  if (value === null) throw tokens.expected('a value');
  return checkValue(value);
}

/** `(a,b)`; what is left out between commas is the empty value. */
function parseValues(tokens: Tokens): string[] {
  if (!tokens.take('(')) throw tokens.expected('"("');
  const values: string[] = [];
  do values.push(checkValue(tokens.takeWord() ?? ''));
  while (tokens.take(','));
  if (!tokens.take(')')) throw tokens.expected('"," or ")"');
  return [...new Set(values)];
}

function parseNumber(tokens: Tokens): bigint {
  const value = parseValue(tokens);
  const number = parseLabelNumber(value);
  if (number === null) throw new SelectorFault(`"${value}" is not a whole number`);
  return number;
}

function checkKey(key: string): void {
  const fault = labelKeyFault(key);
  if (fault !== null) throw new SelectorFault(fault);
}

function checkValue(value: string): string {
  const fault = labelValueFault(value);
  if (fault !== null) throw new SelectorFault(fault);
  return value;
}
