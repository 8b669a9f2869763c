import { untilAborted } from './until-aborted.ts';

export interface ReuseOptions<Value> {
  /** How old an answer may be that is given again, in ms from when it was asked for. */
  readonly mostAgeMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** An answer that is there already. */
  readonly known?: { readonly askedAt: number; readonly value: Value };
}

/** Makes a read shared by all who ask for it within a moment. A failure is the failure of those who wait for it then; the next one reads anew. */
export function reuseReads<Value>(
  read: () => Promise<Value>,
  { mostAgeMs, now, known }: ReuseOptions<Value>,
): (signal: AbortSignal) => Promise<Value> {
  let last: { readonly askedAt: number; readonly answer: Promise<Value> } | null =
    known === undefined ? null : { askedAt: known.askedAt, answer: Promise.resolve(known.value) };
  const begin = (): Promise<Value> => {
    const begun = { askedAt: now(), answer: read() };
    last = begun;
    begun.answer.catch(() => {
      if (last === begun) last = null;
    });
    return begun.answer;
  };
  return (signal) => untilAborted(last !== null && now() - last.askedAt <= mostAgeMs ? last.answer : begin(), signal);
}
