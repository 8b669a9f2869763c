import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };
import type { CliContext } from '../src/cli/context.ts';
import { createProgram } from '../src/cli/program.ts';
import { commandsPage } from './reference/commands-page.ts';

/** Makes docs/reference/commands.md from the commands of src/cli/. */
const context: CliContext = {
  env: {},
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  now: Date.now,
  signal: new AbortController().signal,
  interrupt: () => undefined,
  isUnseen: () => false,
  machine: {
    memoryBytes: 0,
    cpus: 1,
    temporaryDirectory: '/tmp',
    homeDirectory: '/root',
    hostName: 'node',
    userId: 0,
    pid: 1,
    bootClock: () => ({ bootId: '', uptimeMs: 0 }),
  },
  version: packageJson.version,
  isKubectlPlugin: false,
  commandLine: [],
};
const page = fileURLToPath(new URL('../docs/reference/commands.md', import.meta.url));
writeFileSync(page, commandsPage(createProgram(context, () => undefined)));
