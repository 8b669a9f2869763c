/** What a caller should do about an error: `give-up` needs a person; `retry` may pass by itself. */
export type ErrorAction = 'give-up' | 'retry';

export interface ErrorDetails<Code extends string> {
  readonly code: Code;
  readonly message: string;
  readonly action?: ErrorAction;
  /** What to do next, for the person who reads the message. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The base of every error that a room throws on purpose. A room narrows `Code` to a closed union of its own. */
export abstract class RoomError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly action: ErrorAction;
  readonly hint: string | undefined;

  constructor(details: ErrorDetails<Code>) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.action = details.action ?? 'give-up';
    this.hint = details.hint;
  }
}

/** For a log line: what went wrong, and what to do about it, where that is known. */
export function errorFields(error: unknown): { readonly error: string; readonly hint?: string } {
  const hint = error instanceof RoomError ? error.hint : undefined;
  return { error: errorMessage(error), ...(hint === undefined ? {} : { hint }) };
}

/** The message of anything thrown, for a log line or the end of another message. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
