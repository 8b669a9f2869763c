/** A statement takes so many values and no more (32,766 in SQLite, 65,535 in PostgreSQL): lists go into it piece by piece. */
export function* inBatches<T>(items: readonly T[], size = 500): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}
