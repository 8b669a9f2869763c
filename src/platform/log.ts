export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One line of JSON each: a fixed message, and the facts as fields. */
export type Log = Readonly<Record<LogLevel, (message: string, fields?: Readonly<Record<string, unknown>>) => void>>;

export interface LogOptions {
  /** Is given whole lines, with their ends. */
  readonly write: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In every line: which program it is, and where. */
  readonly fields: Readonly<Record<string, string>>;
  /** Asked at each line: it may change. */
  readonly least: () => LogLevel;
}

export function createLog({ write, now, fields: always, least }: LogOptions): Log {
  const at =
    (level: LogLevel): Log[LogLevel] =>
    (message, fields = {}) => {
      if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least())) return;
      write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, ...always, message, ...fields })}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
