import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';

/** Built by the global set-up. */
const MAIN = fileURLToPath(new URL('../../dist/controller.mjs', import.meta.url));

/** A line of its log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** The controller as a process of its own, as in a pod. */
export interface ControllerProcess {
  readonly logs: readonly LogLine[];
  /** All that it wrote, for the message of a test that fails. */
  text(): string;
  /** Resolves once a line with this message is there. */
  untilLogged(message: string): Promise<void>;
  /** As the kernel would: nothing is finished. */
  kill(): Promise<void>;
  /** As the kubelet does; gives the exit code. */
  stop(): Promise<number>;
  /** Resolves when it has ended by itself. */
  ended(): Promise<number>;
  freeze(): void;
  thaw(): void;
  healthPort(): number;
}

export interface ControllerOptions {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** The file of its history. */
  readonly history: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Of the addresses for documentation: the workers of these tests call nobody. */
const UNREACHED = '192.0.2.1';

export function startController({ kubeconfig, namespace, history, args, env = {} }: ControllerOptions): ControllerProcess {
  const flags = [
    `--kubeconfig=${kubeconfig}`,
    `--namespace=${namespace}`,
    `--history=${history}`,
    '--health-address=127.0.0.1:0',
    '--coordinator-address=127.0.0.1:0',
    `--coordinator-advertise=${UNREACHED}`,
    ...args,
  ];
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...flags], {
    env: { PATH: '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const logs: LogLine[] = [];
  let text = '';
  let rest = '';
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) logs.push(JSON.parse(line) as LogLine);
  });
  const exit = once(child, 'exit') as Promise<[number | null]>;
  const ended = async (): Promise<number> => (await exit)[0] ?? -1;
  const end = (signal: NodeJS.Signals): Promise<number> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return ended();
  };
  return {
    logs,
    text: () => text,
    untilLogged: async (message) => {
      await vi.waitFor(() => expect(logs.map((line) => line.message)).toContain(message), { timeout: 60_000, interval: 20 });
    },
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
    ended,
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    healthPort: () => Number(logs.find(({ message }) => message === 'started')?.['healthPort'] ?? 0),
  };
}
