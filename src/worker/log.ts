export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** One line of JSON each: a fixed message, and the facts as fields. */
export type Log = Readonly<Record<Level, (message: string, fields?: Readonly<Record<string, unknown>>) => void>>;

export interface LogOptions {
  readonly write: (line: string) => void;
  readonly now: () => number;
  /** `collector`; in every line. */
  readonly component: string;
  readonly node: string;
  readonly least: Level;
}

export function createLog({ write, now, component, node, least }: LogOptions): Log {
  const at =
    (level: Level): Log[Level] =>
    (message, fields = {}) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
      write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, component, node, message, ...fields })}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
