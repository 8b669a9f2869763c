import type { Log, LogLevel } from '../../src/platform/log.ts';

export interface LoggedLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A log that is kept, and what is in it. */
export function logInTest(): { readonly log: Log; readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const at =
    (level: LogLevel): Log[LogLevel] =>
    (message, fields = {}) =>
      lines.push({ ...fields, level, message });
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines };
}
