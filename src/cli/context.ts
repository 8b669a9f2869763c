import type { Readable, Writable } from 'node:stream';
import type { BootReading } from '../platform/boot-clock.ts';

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command is given of the process that it runs in. Only `main.ts` makes one from the real process. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(isRaw: boolean): unknown };
  /** Data. */
  readonly stdout: OutputStream;
  /** Talk: progress, warnings, questions, errors. */
  readonly stderr: OutputStream;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Aborted by the first interrupt: finish what is in hand and stop. */
  readonly signal: AbortSignal;
  /** Does what the first interrupt does, for a Ctrl-C that comes as a key. */
  readonly interrupt: () => void;
  /** Whether both outputs are pipes whose readers are gone: nobody sees what is written. Known only after something was written. */
  readonly isUnseen: () => boolean;
  /** What this process may use. */
  readonly machine: {
    readonly memoryBytes: number;
    readonly cpus: number;
    readonly temporaryDirectory: string;
    readonly homeDirectory: string;
    readonly hostName: string;
    /** Numeric; 0 is root. */
    readonly userId: number;
    readonly pid: number;
    readonly bootClock: () => BootReading;
  };
  /** Of Image Cleaner. */
  readonly version: string;
  /** Called as `kubectl image-cleaner`: the program is then what `image-cleaner cluster` is. */
  readonly isKubectlPlugin: boolean;
  /** The command line after the program's name. */
  readonly commandLine: readonly string[];
}
