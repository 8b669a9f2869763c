import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { REAL_PARTS, ensureRealParts } from '../../lab/real-parts.ts';
import { ensureBundle } from '../ensure-bundle.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder for the histories of tests, removed after all of them. */
    histories: string;
  }
}

/**
 * Builds the bundle, and makes sure once that the real parts are there. On a developer's machine, tests whose part can't be had are skipped with the reason; in CI
 * that is an error, so that no pipeline is green because it tested nothing.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await ensureBundle();
  const print = (line: string): unknown => process.stderr.write(`${line}\n`);
  const missing = await ensureRealParts(print);
  const reasons = REAL_PARTS.flatMap((part) => (missing[part] === null ? [] : [`${part}: ${missing[part]}`]));
  if (reasons.length > 0 && process.env['CI'] === 'true') throw new Error(`Real parts are missing:\n${reasons.join('\n')}`);
  for (const reason of reasons) print(`Skipping tests that need ${reason}`);
  project.provide('missingParts', missing);
  const histories = await mkdtemp(join(tmpdir(), 'image-cleaner-test-history-'));
  project.provide('histories', histories);
  return () => rm(histories, { recursive: true, force: true });
}
