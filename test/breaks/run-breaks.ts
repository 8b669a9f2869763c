import type { Print, SuiteResult } from '../suites.ts';
import { BREAKS } from './breaks.ts';
import { BrokenTree } from './broken-tree.ts';

export interface BreaksOptions {
  readonly root: string;
  readonly print: Print;
  /** It is known that no unit test fails without a break. */
  readonly passesUnbroken: boolean;
}

/** Breaks each safety rule once, in a copy of the tree, and wants a test to fail each time: a rule without such a test is unguarded. */
export async function runBreaks({ root, print, passesUnbroken }: BreaksOptions): Promise<SuiteResult> {
  const tree = await BrokenTree.copy(root);
  try {
    const tests = [...new Set(BREAKS.map((deliberate) => deliberate.tests))];
    // At least that some of them run and pass in the copy, too.
    if (!(await tree.passes(passesUnbroken ? tests.slice(0, 1) : tests))) {
      print('The tests fail without any break: nothing can be told from their failing with one.\n');
      return { passed: 0, failed: BREAKS.length, skipped: 0, failures: ['the tests without a break'] };
    }
    const failures: string[] = [];
    for (const deliberate of BREAKS) {
      const verdict = await tree.try(deliberate);
      if (verdict.kind !== 'noticed') failures.push(`${verdict.kind}: ${deliberate.rule}`);
      print(
        verdict.kind === 'noticed'
          ? `noticed    ${deliberate.rule}: "${verdict.test}"\n`
          : `${verdict.kind.toUpperCase()} ${deliberate.rule}\n`,
      );
    }
    return { passed: BREAKS.length - failures.length, failed: failures.length, skipped: 0, failures };
  } finally {
    await tree.remove();
  }
}
