import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';

/** The bundle, as users run it; the global set-up builds it. */
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

/** Starts the command line as a process of its own, without a terminal. */
export function startCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCli {
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', ...env },
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
