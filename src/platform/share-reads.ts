import { untilAborted } from './until-aborted.ts';

/**
 * Makes a read shared by all who ask for it at once. Nobody gets an answer that was asked for before they asked: who comes while a read is
 * under way waits for the next one, together with all who come until that begins. A failure is the failure of all who share it.
 */
export function shareReads<Value>(read: () => Promise<Value>): (signal: AbortSignal) => Promise<Value> {
  let underWay: Promise<unknown> | null = null;
  let next: Promise<Value> | null = null;
  const begin = async (): Promise<Value> => {
    await underWay?.catch(() => undefined);
    next = null;
    const reading = read();
    underWay = reading;
    try {
      return await reading;
    } finally {
      if (underWay === reading) underWay = null;
    }
  };
  return (signal) => {
    next ??= begin();
    return untilAborted(next, signal);
  };
}
