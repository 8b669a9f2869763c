import { spawn } from 'node:child_process';
import { CLI, cliEnvironment } from './run-cli.ts';

export interface TerminalResult {
  readonly code: number | null;
  readonly screen: string;
}

export interface Keys {
  /** Typed when the screen shows `at`. */
  readonly answer?: string;
  /** The question, unless told otherwise. */
  readonly at?: string;
  /** Typed at the start, before anything is asked. */
  readonly early?: string;
}

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** As `stty` sets it; 0 is a terminal that does not know. */
  readonly columns?: number;
}

/** Runs the command line on a terminal, which `script` (of Debian's bsdutils) makes. */
export function onTerminal(
  args: readonly string[],
  { answer = '', at = '[y/N]', early = '' }: Keys = {},
  { env = {}, columns }: TerminalOptions = {},
): Promise<TerminalResult> {
  // The words are ours and hold nothing that a shell would read otherwise; `script` takes no argument list.
  const words = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(' ');
  const command = columns === undefined ? words : `stty columns ${String(columns)}; exec ${words}`;
  const child = spawn('script', ['--quiet', '--return', '--echo', 'never', '--command', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...cliEnvironment(), TERM: 'xterm', ...env },
  });
  let screen = '';
  let answered = false;
  child.stdin.write(early);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    if (answered || !screen.includes(at)) return;
    answered = true;
    child.stdin.write(answer);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, screen }));
  });
}
