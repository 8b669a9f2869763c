/** Calls at once on one runtime: it serves more, but is to have time left for the kubelet. */
export const RUNTIME_CONCURRENCY = 8;

/** Maps with at most `limit` calls at once. The first failure aborts the calls under way and is what it rejects with. */
export async function mapConcurrently<In, Out>(
  items: readonly In[],
  limit: number,
  signal: AbortSignal,
  map: (item: In, signal: AbortSignal) => Promise<Out>,
): Promise<Out[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const results: Out[] = [];
  const queue = items.entries();
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      either.throwIfAborted();
      results[index] = await map(item, either);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  return results;
}
