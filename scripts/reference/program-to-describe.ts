import type { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { createProgram } from '../../src/cli/program.ts';

/** The program with all of its commands, to be read and not to be run. */
export function programToDescribe(): Command {
  const { stdin, stdout, stderr } = process;
  const machine = {
    memoryBytes: 0,
    cpus: 1,
    temporaryDirectory: '',
    homeDirectory: '',
    hostName: '',
    userId: 0,
    pid: 1,
    bootClock: () => ({ bootId: '', uptimeMs: 0 }),
  };
  const context = {
    env: {},
    stdin,
    stdout,
    stderr,
    machine,
    now: Date.now,
    signal: new AbortController().signal,
    interrupt: () => undefined,
    isUnseen: () => false,
    version: packageJson.version,
    isKubectlPlugin: false,
    commandLine: [],
  };
  return createProgram(context, () => undefined);
}
