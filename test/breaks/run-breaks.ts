/* eslint-disable no-console -- part of the test runner */
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runVitest, type SuiteResult } from '../suites.ts';
import { BREAKS, type Break } from './breaks.ts';

/** Trees that are broken at once. Most of a run is the start of one thread. */
const TREES = 2;

/**
 * Breaks each safety rule once, in a copy of the tree, and wants a test to fail each time: a rule without such a test is unguarded.
 * `passesUnbroken`: it is known that no unit test fails without a break.
 */
export async function runBreaks(root: string, options: { readonly passesUnbroken: boolean }): Promise<SuiteResult> {
  const trees = await Promise.all(Array.from({ length: TREES }, () => copyTree(root)));
  try {
    if (trees[0] === undefined || !(options.passesUnbroken || (await passesUnbroken(trees[0])))) {
      console.log('The tests fail without any break: nothing can be told from their failing with one.');
      return { passed: 0, failed: BREAKS.length, skipped: 0 };
    }
    let failed = 0;
    const queue = BREAKS.values();
    const work = async (tree: string): Promise<void> => {
      for (const deliberate of queue) {
        const verdict = await tryBreak(tree, deliberate);
        if (verdict.kind !== 'noticed') failed += 1;
        console.log(
          verdict.kind === 'noticed'
            ? `noticed    ${deliberate.rule}: "${verdict.test}"`
            : `${verdict.kind.toUpperCase()} ${deliberate.rule}`,
        );
      }
    };
    await Promise.all(trees.map(work));
    return { passed: BREAKS.length - failed, failed, skipped: 0 };
  } finally {
    for (const tree of trees) await rm(tree, { recursive: true, force: true });
  }
}

/** No tests see them, but for the packages, which are linked to. */
const NOT_COPIED = ['.git', 'node_modules', 'dist', 'coverage'];

async function copyTree(root: string): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'image-cleaner-breaks-'));
  const parts = (await readdir(root)).filter((name) => !NOT_COPIED.includes(name));
  for (const part of parts) await cp(join(root, part), join(tree, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
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
