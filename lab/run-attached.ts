import { spawn } from 'node:child_process';
import { LabError } from './lab-error.ts';

/** Runs a program with the terminal of this process; resolves to its exit code. */
export function runAttached(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === null) reject(new LabError({ code: 'tool-failed', message: `${command} was ended by ${String(signal)}` }));
      else resolve(code);
    });
  });
}
