/** The key that a writer likely meant; null: none is near. */
export function nearestKey(key: string, known: readonly string[]): string | null {
  // Beyond this length nothing is a typing error, and the comparison costs the product of the lengths.
  if (key.length > 64) return null;
  const ranked = known
    .map((candidate) => ({ candidate, edits: countEdits(key.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(Math.max(candidate.length, key.length) / 3)))
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.candidate ?? null;
}

/** How many letters must be added, removed or replaced to make one word of the other (Levenshtein's distance). */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_value, at) => at);
  for (let done = 0; done < from.length; done++) {
    const next = [done + 1];
    for (let at = 0; at < to.length; at++) {
      const replaced = (row[at] ?? 0) + (from[done] === to[at] ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
