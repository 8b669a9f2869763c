import { expect } from 'vitest';

/** As `expect.poll`, but patient: on a busy machine a second is soon over. */
export function eventually<T>(read: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(read, { timeout: 30_000, interval: 10 });
}
