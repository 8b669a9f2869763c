import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { lacksRealPart } from '../../lab/real-parts.ts';

/** That every benchmark works, on few images and held against nothing: what they measure is for `npm run bench`. */

const BENCH = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));
const resultsSchema = z.object({
  images: z.number(),
  results: z.array(
    z.object({
      name: z.string(),
      variants: z.array(
        z.object({ measurements: z.array(z.object({ wallMs: z.number().positive(), cpuMs: z.number().nonnegative() })).min(2) }),
      ),
      figures: z.array(z.object({ samples: z.array(z.number()).min(2) })).min(1),
    }),
  ),
});

describe.skipIf(lacksRealPart('containerd-debian') || lacksRealPart('trivy'))('npm run bench', () => {
  let directory: string;
  const bench = (...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
    spawnSync(process.execPath, [BENCH, ...args, '--out', join(directory, 'results.json')], { encoding: 'utf8' });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  test('measures everything', async () => {
    const { status, stdout, stderr } = bench('--images', '5', '--effort', '0.1', '--no-budgets');
    expect(status, stderr).toBe(0);
    const { images, results } = resultsSchema.parse(JSON.parse(await readFile(join(directory, 'results.json'), 'utf8')));
    expect(images).toBe(5);
    const names = ['start', 'planning', 'removal', 'scanning', 'second-run', 'new-database', 'small-memory', 'coordinator'];
    expect(results.map(({ name }) => name)).toEqual(names);
    for (const name of names) expect(stdout).toContain(name);
  });

  test('fails when a figure is over its budget, and says which', () => {
    const { status, stderr } = bench('start', '--images', '5', '--effort', '0.1', '--budget-scale', '0.0001');
    expect(stderr).toMatch(/^missed: start: peak RSS of list is \d+ MiB, and may be at most 0 MiB$/m);
    expect(status).toBe(1);
  });

  test('refuses a benchmark that there is not', () => {
    const { status, stderr } = bench('speed');
    expect(stderr).toContain('Usage: npm run bench');
    expect(status).toBe(2);
  });
});
