import type { Print, SuiteResult } from '../suites.ts';
import { BREAKS } from './breaks.ts';
import { BrokenTree } from './broken-tree.ts';

/** Trees that are broken at once. */
const TREES = 2;

export interface BreaksOptions {
  readonly root: string;
  readonly print: Print;
  /** It is known that no unit test fails without a break. */
  readonly passesUnbroken: boolean;
}

/** Breaks each safety rule once, in a copy of the tree, and wants a test to fail each time: a rule without such a test is unguarded. */
export async function runBreaks({ root, print, passesUnbroken }: BreaksOptions): Promise<SuiteResult> {
  const trees = await Promise.all(Array.from({ length: TREES }, () => BrokenTree.copy(root)));
  try {
    const tests = [...new Set(BREAKS.map((deliberate) => deliberate.tests))];
    if (!passesUnbroken && (await trees[0]?.passes(tests)) !== true) {
      print('The tests fail without any break: nothing can be told from their failing with one.\n');
      return { passed: 0, failed: BREAKS.length, skipped: 0 };
    }
    let failed = 0;
    const queue = BREAKS.values();
    const work = async (tree: BrokenTree): Promise<void> => {
      for (const deliberate of queue) {
        const verdict = await tree.try(deliberate);
        if (verdict.kind !== 'noticed') failed += 1;
        print(
          verdict.kind === 'noticed'
            ? `noticed    ${deliberate.rule}: "${verdict.test}"\n`
            : `${verdict.kind.toUpperCase()} ${deliberate.rule}\n`,
        );
      }
    };
    await Promise.all(trees.map(work));
    return { passed: BREAKS.length - failed, failed, skipped: 0 };
  } finally {
    for (const tree of trees) await tree.remove();
  }
}
