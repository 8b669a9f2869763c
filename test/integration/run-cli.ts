import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import * as z from 'zod';

/** The program, as users run it, with what it loads beside it; the global set-up builds it. */
export const CLI = fileURLToPath(new URL('../../dist/image-cleaner.mjs', import.meta.url));

export interface CliResult {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  readonly result: Promise<CliResult>;
  /** Resolves when standard error has shown the text. */
  readonly seen: (text: string) => Promise<void>;
}

/** A file for a history of its own, so that no run knows of another unless a test wants it to (`--history`). */
export function newHistory(): string {
  return join(inject('histories'), `${randomUUID()}.db`);
}

/** The environment that tests run the command line in: nothing of the machine's own. */
export function cliEnvironment(): Record<string, string> {
  return { PATH: '/usr/bin:/bin', HOME: '/nonexistent', IMAGE_CLEANER_HISTORY: newHistory() };
}

/** Starts the command line as a process of its own, without a terminal. */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>> = {}, program = CLI): RunningCli {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cliEnvironment(), ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const result = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const seen = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stderr.includes(text)) resolve();
      };
      look();
      child.stderr.on('data', look);
      void result.then(() => reject(new Error(`ended without "${text}":\n${stderr}`)));
    });
  return { child, result, seen };
}

export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return startCli(args, env).result;
}

const cleanDocumentSchema = z.object({
  dryRun: z.boolean(),
  decisions: z.array(
    z.object({
      imageId: z.string(),
      repoTags: z.array(z.string()),
      sizeBytes: z.number().positive(),
      outcome: z.enum(['keep', 'remove']),
      reason: z.looseObject({ code: z.string() }),
      message: z.string().min(1),
      cves: z.array(z.string()),
      estimatedBytes: z.number().nonnegative(),
    }),
  ),
  summary: z.looseObject({ images: z.number(), keep: z.number(), remove: z.number(), estimatedBytes: z.number() }),
  warnings: z.array(z.string()),
  removals: z.array(z.object({ imageId: z.string(), outcome: z.string() })).optional(),
  filesystem: z.object({ freedBytes: z.number() }).nullable().optional(),
});

export type CleanDocument = z.infer<typeof cleanDocumentSchema>;

/** What `clean -o json` printed, checked against its shape. */
export function parseClean({ stdout, stderr }: CliResult): CleanDocument {
  try {
    return cleanDocumentSchema.parse(JSON.parse(stdout));
  } catch (cause) {
    throw new Error(`no document of clean on standard output:\n${stdout}\n${stderr}`, { cause });
  }
}

/** The reason code of each image by its first tag. */
export function reasonsByTag({ decisions }: CleanDocument): Record<string, string> {
  return Object.fromEntries(
    decisions.map(({ repoTags, imageId, outcome, reason }) => [repoTags[0] ?? imageId, `${outcome} ${reason.code}`]),
  );
}
