/** `*` and `?` in exclusion patterns. No regular expressions are made of them: the time is bounded by the product of the two lengths. */

export function hasWildcard(text: string): boolean {
  return text.includes('*') || text.includes('?');
}

/** What stands before the first wildcard. */
export function plainBeginning(text: string): string {
  const first = text.search(/[*?]/);
  return first === -1 ? text : text.slice(0, first);
}

/** A stand-in for each wildcard, so that what is around it can be checked: a digit is allowed wherever letters, digits or a port are. */
export function withoutWildcards(text: string): string {
  return text.replaceAll('**', '1').replaceAll(/[*?]/g, '1');
}

/** Something compiled that tells whether the whole of an item matches. */
export type Glob<Item> = (item: Item) => boolean;

/** `*` is any characters, `?` any one. Most texts are refused by what stands before the first wildcard and after the last. */
export function compileGlob(pattern: string): Glob<string> {
  if (!hasWildcard(pattern)) return (text) => text === pattern;
  const prefix = plainBeginning(pattern);
  const first = prefix.length;
  const last = Math.max(pattern.lastIndexOf('*'), pattern.lastIndexOf('?'));
  const suffix = pattern.slice(last + 1);
  const leastLength = pattern.replaceAll('*', '').length;
  const isOneStar = first === last && pattern[first] === '*';
  return (text) =>
    text.length >= leastLength && text.startsWith(prefix) && text.endsWith(suffix) && (isOneStar || matchesCharacters(pattern, text));
}

/** The components of a name against those of a pattern, one by one; `**` is any number of components, also none. */
export function compileComponents(pattern: readonly string[]): Glob<readonly string[]> {
  const globs = pattern.map((component) => (component === '**' ? null : compileGlob(component)));
  const first = globs.indexOf(null);
  const last = globs.lastIndexOf(null);
  if (first === -1) return (name) => name.length === globs.length && matchesRun(globs, name, 0);
  const head = globs.slice(0, first);
  const tail = globs.slice(last + 1);
  const middle = globs.slice(first, last + 1);
  const leastLength = globs.filter((glob) => glob !== null).length;
  return (name) =>
    name.length >= leastLength &&
    matchesRun(tail, name, name.length - tail.length) &&
    matchesRun(head, name, 0) &&
    (first === last || matchesMiddle(middle, name.slice(head.length, name.length - tail.length)));
}

function matchesRun(globs: readonly (Glob<string> | null)[], name: readonly string[], start: number): boolean {
  for (let index = 0; index < globs.length; index++) {
    if (globs[index]?.(name[start + index] ?? '') !== true) return false;
  }
  return true;
}

function matchesMiddle(globs: readonly (Glob<string> | null)[], name: readonly string[]): boolean {
  return matchesSequence(globs.length, name.length, {
    isStar: (p) => globs[p] === null,
    accepts: (p, t) => globs[p]?.(name[t] ?? '') === true,
  });
}

function matchesCharacters(pattern: string, text: string): boolean {
  return matchesSequence(pattern.length, text.length, {
    isStar: (p) => pattern[p] === '*',
    accepts: (p, t) => pattern[p] === '?' || pattern[p] === text[t],
  });
}

interface SequencePattern {
  readonly isStar: (patternIndex: number) => boolean;
  readonly accepts: (patternIndex: number, textIndex: number) => boolean;
}

/**
 * The usual greedy comparison: on a mismatch only the last star takes one item more, as an earlier one could not help. So each item of the
 * text meets each item of the pattern at most once, and there is no backtracking beyond that.
 */
function matchesSequence(patternLength: number, textLength: number, { isStar, accepts }: SequencePattern): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let starEnd = 0;
  while (t < textLength) {
    if (p < patternLength && isStar(p)) {
      star = p++;
      starEnd = t;
    } else if (p < patternLength && accepts(p, t)) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++starEnd;
    } else {
      return false;
    }
  }
  while (p < patternLength && isStar(p)) p++;
  return p === patternLength;
}
