/* eslint-disable no-console -- part of the test runner */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runVitest, type SuiteResult } from '../suites.ts';
import { BREAKS, type Break } from './breaks.ts';

/** Breaks each safety rule once, in a copy of the tree, and wants a test to fail each time: a rule without such a test is unguarded. */
export async function runBreaks(root: string): Promise<SuiteResult> {
  const tree = await mkdtemp(join(tmpdir(), 'image-cleaner-breaks-'));
  try {
    for (const part of ['src', 'test', 'lab', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
      await cp(join(root, part), join(tree, part), { recursive: true });
    }
    await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
    if (!(await passesUnbroken(tree))) {
      console.log('The tests fail without any break: nothing can be told from their failing with one.');
      return { passed: 0, failed: BREAKS.length, skipped: 0 };
    }
    let failed = 0;
    for (const deliberate of BREAKS) {
      const verdict = await tryBreak(tree, deliberate);
      if (verdict.kind !== 'noticed') failed += 1;
      console.log(
        verdict.kind === 'noticed'
          ? `noticed    ${deliberate.rule}: "${verdict.test}"`
          : `${verdict.kind.toUpperCase()} ${deliberate.rule}`,
      );
    }
    return { passed: BREAKS.length - failed, failed, skipped: 0 };
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

async function passesUnbroken(tree: string): Promise<boolean> {
  const tests = [...new Set(BREAKS.map((deliberate) => deliberate.tests))];
  const report = await runVitest({ root: tree, args: ['--project', 'unit', ...tests], verbose: false });
  return report.success && report.numPassedTests > 0;
}

type BreakVerdict =
  | { readonly kind: 'noticed'; readonly test: string }
  /** No test failed. */
  | { readonly kind: 'unnoticed' }
  /** The break does not apply to the code as it is now: it must be brought up to date. */
  | { readonly kind: 'outdated' };

async function tryBreak(tree: string, { file, find, replace, tests }: Break): Promise<BreakVerdict> {
  const path = join(tree, file);
  const original = await readFile(path, 'utf8');
  if (original.split(find).length !== 2) return { kind: 'outdated' };
  try {
    await writeFile(
      path,
      original.replace(find, () => replace),
    );
    const report = await runVitest({ root: tree, args: ['--project', 'unit', tests], verbose: false });
    // Only a test that ran and failed counts; a file that no longer loads proves nothing.
    const failures = report.testResults.flatMap(({ assertionResults }) => assertionResults).filter(({ status }) => status === 'failed');
    const first = failures[0];
    return first === undefined ? { kind: 'unnoticed' } : { kind: 'noticed', test: first.fullName };
  } finally {
    await writeFile(path, original);
  }
}
