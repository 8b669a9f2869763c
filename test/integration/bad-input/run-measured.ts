import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli, type CliResult } from '../run-cli.ts';

export interface MeasuredResult extends CliResult {
  /** The most memory that the process had at any time (resident), by its own account at its end. */
  readonly peakBytes: number;
}

/** Runs the command line, and has it write down at its end how much memory it took. */
export async function runMeasured(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<MeasuredResult> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-measured-'));
  const file = join(folder, 'kilobytes');
  const writeDown = `import{writeFileSync}from"node:fs";process.on("exit",()=>writeFileSync(${JSON.stringify(file)},String(process.resourceUsage().maxRSS)))`;
  try {
    const result = await runCli(args, { ...env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(writeDown)}` });
    return { ...result, peakBytes: Number(await readFile(file, 'utf8')) * 1024 };
  } finally {
    await rm(folder, { recursive: true });
  }
}
