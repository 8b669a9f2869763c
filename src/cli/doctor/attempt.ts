import { errorMessage, RoomError } from '../../platform/errors.ts';

/** What a look at the machine came to: a fault is a finding here, no end. */
export type Attempt<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

/** Throws only the reason of the signal. */
export async function attempt<T>(signal: AbortSignal, work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    signal.throwIfAborted();
    const { code, hint = NO_HINT } = error instanceof RoomError ? (error as RoomError) : { code: '' };
    return { ok: false, code, message: errorMessage(error), hint };
  }
}

/** A fault of the system or of the program, which says all that is known. */
export const NO_HINT = 'The message is all that is known.';
