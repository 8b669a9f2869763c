import { describe, expect, test } from 'vitest';
import { shareReads } from './share-reads.ts';

const { signal } = new AbortController();
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Reads that end when the test says so; each answers with its number. */
function controlledReads(): { reads: PromiseWithResolvers<number>[]; shared: (signal: AbortSignal) => Promise<number> } {
  const reads: PromiseWithResolvers<number>[] = [];
  const shared = shareReads(() => {
    const read = Promise.withResolvers<number>();
    reads.push(read);
    return read.promise;
  });
  return { reads, shared };
}

describe('shareReads', () => {
  test('who asks while a read is under way gets the next one, shared with all who wait', async () => {
    const { reads, shared } = controlledReads();
    const first = shared(signal);
    await settle();
    expect(reads).toHaveLength(1);
    const [second, third] = [shared(signal), shared(signal)];
    await settle();
    expect(reads).toHaveLength(1);
    reads[0]?.resolve(1);
    expect(await first).toBe(1);
    await settle();
    expect(reads).toHaveLength(2);
    const fourth = shared(signal);
    reads[1]?.resolve(2);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
    await settle();
    reads[2]?.resolve(3);
    expect(await fourth).toBe(3);
    expect(reads).toHaveLength(3);
  });

  test('an answer is not kept for who asks later', async () => {
    const { reads, shared } = controlledReads();
    const first = shared(signal);
    await settle();
    reads[0]?.resolve(1);
    await first;
    const later = shared(signal);
    await settle();
    reads[1]?.resolve(2);
    expect(await later).toBe(2);
  });

  test('a failure is that of all who share the read, and of nobody else', async () => {
    const { reads, shared } = controlledReads();
    const first = shared(signal);
    await settle();
    const second = shared(signal);
    reads[0]?.reject(new Error('the runtime is away'));
    await expect(first).rejects.toThrow('the runtime is away');
    await settle();
    reads[1]?.resolve(2);
    expect(await second).toBe(2);
  });

  test('who gives up leaves the read to the others, also the last one', async () => {
    const { reads, shared } = controlledReads();
    const impatient = new AbortController();
    const given = shared(impatient.signal);
    const kept = shared(signal);
    await settle();
    impatient.abort(new Error('too long'));
    await expect(given).rejects.toThrow('too long');
    reads[0]?.resolve(1);
    expect(await kept).toBe(1);

    const alone = new AbortController();
    const last = shared(alone.signal);
    await settle();
    alone.abort(new Error('too long'));
    await expect(last).rejects.toThrow('too long');
    reads[1]?.reject(new Error('nobody waits for this'));
    await settle();
    const after = shared(signal);
    await settle();
    reads[2]?.resolve(3);
    expect(await after).toBe(3);
  });
});
