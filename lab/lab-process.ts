import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './lab-error.ts';
import { childOf, signalProcess } from './processes.ts';

/** A program that runs until it is killed. */
export interface LabProcess {
  readonly name: string;
  readonly logFile: string;
  readonly pid: number;
  readonly isRunning: boolean;
  /** Ends it at once, as a crash would (or by another signal), and waits until it has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** For one that does not end it, such as `SIGSTOP`. */
  signal(signal: NodeJS.Signals): void;
}

export interface ProcessSpec {
  /** As it is called in messages: `kube-apiserver`, `kubelet of n1`. */
  readonly name: string;
  readonly logFile: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** A program that starts this one as its child and ends as it does: `nsenter`, `unshare` and their options. */
  readonly wrapper?: readonly string[];
}

const POLL_MS = 20;
/** Seconds where nothing else runs, more under load. */
const READY_TIMEOUT_MS = 60_000;
const SHOWN_LOG_LINES = 15;

/** Starts a program; the kernel kills it when this process ends in any way. */
export async function startProcess(spec: ProcessSpec): Promise<LabProcess> {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...(spec.wrapper ?? []), spec.command, ...spec.args], {
    // A process group of its own: Ctrl-C is for its owner to handle.
    detached: true,
    stdio: ['ignore', log, log],
    env: spec.env ?? process.env,
  });
  closeSync(log);
  child.unref();
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new LabError({ code: 'tool-missing', message: `${spec.name} can't be started: setpriv (util-linux) is not on PATH.`, cause });
  }
  return new StartedProcess(spec, child);
}

class StartedProcess implements LabProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #child: ChildProcess;
  readonly #isWrapped: boolean;

  constructor(spec: ProcessSpec, child: ChildProcess) {
    this.name = spec.name;
    this.logFile = spec.logFile;
    this.#child = child;
    this.#isWrapped = spec.wrapper !== undefined;
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} has no pid`);
    return this.#isWrapped ? (childOf(pid) ?? pid) : pid;
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this;
    // nsenter and unshare stop with what they have started, and would never see it end.
    if (signal === 'SIGCONT' && this.#child.pid !== undefined && this.#child.pid !== pid) signalProcess(this.#child.pid, signal);
    signalProcess(pid, signal);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, 'exit');
    this.#child.ref();
    signalProcess(this.pid, signal);
    await exited;
  }
}

/** Asks until the process answers yes; throws `not-ready` with the end of its log when it ends instead, or takes too long. */
export async function untilReady(part: LabProcess, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  let reason: unknown;
  while (part.isRunning && Date.now() < deadline) {
    try {
      if (await check()) return;
    } catch (error) {
      reason = error;
    }
    await sleep(POLL_MS);
  }
  const what = part.isRunning ? `is not ready within ${READY_TIMEOUT_MS / 1000} s` : 'ended';
  const log = (await readFile(part.logFile, 'utf8')).trimEnd().split('\n').slice(-SHOWN_LOG_LINES).join('\n');
  throw new LabError({ code: 'not-ready', message: `${part.name} ${what}. The end of its log:\n${log}`, cause: reason });
}
