import { RoomError } from '../platform/errors.ts';

export type CliErrorCode = 'bad-usage' | 'not-found' | 'refused';

/** An error that the command itself reports: bad input, or a refusal. */
export class CliError extends RoomError<CliErrorCode> {}

export function badUsage(message: string, hint?: string): CliError {
  return new CliError({ code: 'bad-usage', message, ...(hint === undefined ? {} : { hint }) });
}
