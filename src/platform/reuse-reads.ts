import { untilAborted } from './until-aborted.ts';

export interface ReuseOptions {
  /** How old an answer may be that is given again, in ms from when it was asked for. */
  readonly mostAgeMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
}

/** Makes a read shared by all who ask for it within a moment. A failure is the failure of those who wait for it then; the next one reads anew. */
export function reuseReads<Value>(read: () => Promise<Value>, { mostAgeMs, now }: ReuseOptions): (signal: AbortSignal) => Promise<Value> {
  let last: { readonly askedAt: number; readonly answer: Promise<Value> } | null = null;
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
