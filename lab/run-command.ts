import { execFile } from 'node:child_process';
import { LabError } from './lab-error.ts';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Gets each line that the command writes to standard error, as it comes. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Ten lists of 10,000 images: no command of the lab writes more. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** The end of what a failed command said: enough for its reason, little enough to read. */
const SHOWN_ERROR_CHARACTERS = 2_000;

/** Runs a command without a shell and gives what it wrote to standard output; throws a `tool-failed` with the end of its standard error. */
export async function runCommand(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return await new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      {
        maxBuffer: MAX_OUTPUT_BYTES,
        encoding: 'utf8',
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.env === undefined ? {} : { env: options.env }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (options.signal?.aborted === true) reject(options.signal.reason as Error);
        else {
          const said = (stderr.trim() === '' ? stdout : stderr).trim().slice(-SHOWN_ERROR_CHARACTERS);
          const command = [file, ...args].join(' ');
          const message = said === '' ? `${command} failed: ${error.message}` : `${command} failed: ${said}`;
          reject(new LabError({ code: 'tool-failed', message, cause: error }));
        }
      },
    );
    child.stdin?.end();
    const { onLine } = options;
    if (onLine === undefined) return;
    let rest = '';
    child.stderr?.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
  });
}
