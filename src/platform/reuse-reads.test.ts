import { expect, test } from 'vitest';
import { reuseReads } from './reuse-reads.ts';

const { signal } = new AbortController();

function counted() {
  const clock = { now: 0 };
  let reads = 0;
  const read = reuseReads(
    () => {
      reads += 1;
      return reads === 3 ? Promise.reject(new Error('away')) : Promise.resolve(reads);
    },
    { mostAgeMs: 1000, now: () => clock.now },
  );
  return { clock, read };
}

test('who asks within a moment shares the answer; later it is read anew', async () => {
  const { clock, read } = counted();
  expect(await Promise.all([read(signal), read(signal)])).toEqual([1, 1]);
  clock.now = 1000;
  expect(await read(signal)).toBe(1);
  clock.now = 1001;
  expect(await read(signal)).toBe(2);
});

test('an answer that is there already is shared for as long as one that was read here', async () => {
  const clock = { now: 1_400 };
  const read = reuseReads(() => Promise.resolve('read'), {
    mostAgeMs: 1000,
    now: () => clock.now,
    known: { askedAt: 500, value: 'known' },
  });
  expect(await read(signal)).toBe('known');
  clock.now = 1_501;
  expect(await read(signal)).toBe('read');
});

test('a failure is nobody else’s answer', async () => {
  const { clock, read } = counted();
  await read(signal);
  clock.now = 2000;
  await read(signal);
  clock.now = 4000;
  const failed = await Promise.allSettled([read(signal), read(signal)]);
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await read(signal)).toBe(4);
});

test('who gives up does not end the read of the others', async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const read = reuseReads(() => promise, { mostAgeMs: 1000, now: () => 0 });
  const impatient = new AbortController();
  const answers = Promise.allSettled([read(impatient.signal), read(signal)]);
  impatient.abort(new Error('enough'));
  resolve(1);
  expect(await answers).toMatchObject([{ status: 'rejected' }, { status: 'fulfilled', value: 1 }]);
});
