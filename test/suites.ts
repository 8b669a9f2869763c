import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Runs a program with the terminal of this process; resolves to its exit code (128 when a signal ended it). */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly quiet?: boolean },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, stdio: ['ignore', options.quiet === true ? 'ignore' : 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 128));
  });
}

const vitestReportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numFailedTestSuites: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  success: z.boolean(),
  testResults: z.array(z.object({ assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })) })),
});

export type VitestReport = z.infer<typeof vitestReportSchema>;

export interface VitestRun {
  readonly root: string;
  readonly args: readonly string[];
  /** False prints nothing but the report's numbers. */
  readonly verbose: boolean;
}

/** Runs vitest in a tree and reads its own report. */
export async function runVitest({ root, args, verbose }: VitestRun): Promise<VitestReport> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-vitest-'));
  const file = join(folder, 'report.json');
  try {
    const reporters = verbose ? ['--reporter=default', '--reporter=json'] : ['--reporter=json'];
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    await run(process.execPath, [vitest, 'run', ...reporters, `--outputFile.json=${file}`, ...args], { cwd: root, quiet: !verbose });
    return vitestReportSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A file that fails to load counts as a failure, and so does a run without any test. */
export function countTests(report: VitestReport): SuiteResult {
  const ran = report.numPassedTests + report.numFailedTests;
  const failed = report.success && ran > 0 ? 0 : Math.max(report.numFailedTests, 1);
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests };
}
