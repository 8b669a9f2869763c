import { spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The names of what failed, each with how it did, in short. */
  readonly failures: readonly string[];
}

/** Takes text for the terminal, with the ends of its lines. */
export type Print = (text: string) => void;

export interface Ran {
  /** 128 when a signal ended it. */
  readonly code: number;
  /** Both of its outputs. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd: string;
  /** Its output is kept, and given at its end. Else the program has the terminal of this process. */
  readonly quiet: boolean;
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function run(command: string, args: readonly string[], { cwd, quiet, env = {} }: RunOptions): Promise<Ran> {
  if (!quiet) return { code: await exitOf(command, args, { cwd, env, output: 'inherit' }), output: '' };
  return inFolder(async (folder) => {
    // A file, not a pipe: what it leaves running may hold it open.
    const path = join(folder, 'output');
    const file = await open(path, 'a');
    try {
      const code = await exitOf(command, args, { cwd, env, output: file.fd });
      return { code, output: await readFile(path, 'utf8') };
    } finally {
      await file.close();
    }
  });
}

function exitOf(
  command: string,
  args: readonly string[],
  { cwd, env, output }: Required<Pick<RunOptions, 'cwd' | 'env'>> & { readonly output: 'inherit' | number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', output, output] });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 128));
  });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-suite-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const vitestReportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).nullish() })),
    }),
  ),
});

export interface ProjectOptions {
  readonly root: string;
  /** null: it has the terminal of this process. */
  readonly print: Print | null;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a project of vitest and reads its own report. */
export function runProject(project: string, { root, print, env = {} }: ProjectOptions): Promise<SuiteResult> {
  return inFolder(async (folder) => {
    const file = join(folder, 'report.json');
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const { output } = await run(process.execPath, [vitest, 'run', '--project', project, ...reporters], {
      cwd: root,
      env,
      quiet: print !== null,
    });
    print?.(output);
    return countTests(vitestReportSchema.parse(JSON.parse(await readFile(file, 'utf8'))));
  });
}

/** A file that fails to load counts as a failure, and so does a run without any test. */
function countTests(report: z.output<typeof vitestReportSchema>): SuiteResult {
  const ran = report.numPassedTests + report.numFailedTests;
  const failed = report.success && ran > 0 ? 0 : Math.max(report.numFailedTests, 1);
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests, failures: failuresIn(report) };
}

function failuresIn({ testResults }: z.output<typeof vitestReportSchema>): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const tests = assertionResults
      .filter((test) => test.status === 'failed')
      .map(({ fullName, failureMessages }) => `${name}: ${fullName}\n${inShort(failureMessages?.join('\n') ?? '')}`);
    return tests.length === 0 && status === 'failed' ? [`${name}\n${inShort(message)}`] : tests;
  });
}

/** Enough of it to know the assertion, and the place. */
function inShort(text: string): string {
  const lines = text.split('\n').slice(0, 12);
  return lines.map((line) => `    ${line.slice(0, 300)}`).join('\n');
}
