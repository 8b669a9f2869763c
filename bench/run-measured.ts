import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import type { Measurement } from './figure.ts';

export interface MeasuredCommand {
  /** Of Node; the program, then its arguments. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A folder of the memory controller that the process joins before it starts. */
  readonly controlGroup?: string;
}

export interface MeasuredRun extends Measurement {
  /** 128 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node programs and has each tell, as its last act, what the kernel has accounted to it. */
export class MeasuredNode {
  readonly #reporter: string;

  private constructor(reporter: string) {
    this.#reporter = reporter;
  }

  /** @param directory of the benchmark's own, for a small file */
  static async create(directory: string): Promise<MeasuredNode> {
    const reporter = join(directory, 'report-usage.cjs');
    await writeFile(reporter, REPORTER);
    return new MeasuredNode(reporter);
  }

  /** Also of a command that fails: see its code. */
  async run({ args, env = {}, controlGroup }: MeasuredCommand): Promise<MeasuredRun> {
    const program = [process.execPath, '--require', this.#reporter, ...args];
    const command = controlGroup === undefined ? program : ['/bin/sh', '-c', JOIN_AND_RUN, controlGroup, ...program];
    const started = performance.now();
    const child = spawn(command[0] ?? '', command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...env },
    });
    const [, stdout, stderr, report] = child.stdio as unknown as readonly [null, Readable, Readable, Readable];
    const texts = Promise.all([text(stdout), text(stderr), text(report)]);
    const [code] = (await once(child, 'exit')) as [number | null];
    const wallMs = performance.now() - started;
    const [out, err, usage] = await texts;
    return { wallMs, ...parseUsage(usage), code: code ?? 128, stdout: out, stderr: err };
  }

  /** As `run`; a command that fails is an error. */
  async runWell(command: MeasuredCommand): Promise<MeasuredRun> {
    const run = await this.run(command);
    if (run.code === 0) return run;
    throw new Error(`${command.args.join(' ')} ended with ${String(run.code)}:\n${run.stderr}`);
  }
}

/** "$0" is the folder of the control group. */
const JOIN_AND_RUN = 'echo $$ > "$0/cgroup.procs" && exec "$@"';

/**
 * In CommonJS, since Node needs longer to load anything else before the program. Fields 16 and 17 of `stat` are the ended children's. VmHWM,
 * since the kernel's own account of the peak begins with what the process had that made this one.
 */
const REPORTER = `
process.once('exit', () => {
  const { readFileSync, writeSync } = require('node:fs');
  const { user, system } = process.cpuUsage();
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const peakRssKiB = Number(/^VmHWM:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  writeSync(3, JSON.stringify({ cpuUs: user + system, childTicks: Number(fields[13]) + Number(fields[14]), peakRssKiB }));
});
`;

const usageSchema = z.object({ cpuUs: z.number(), childTicks: z.number(), peakRssKiB: z.number() });
/** USER_HZ, which Linux has fixed at 100 for what it tells programs. */
const TICK_MS = 10;

/** A process that was killed tells nothing: NaN, which meets no budget. */
function parseUsage(json: string): Pick<Measurement, 'cpuMs' | 'peakRssBytes'> {
  if (json === '') return { cpuMs: Number.NaN, peakRssBytes: Number.NaN };
  const { cpuUs, childTicks, peakRssKiB } = usageSchema.parse(JSON.parse(json));
  return { cpuMs: cpuUs / 1_000 + childTicks * TICK_MS, peakRssBytes: peakRssKiB * 1024 };
}
