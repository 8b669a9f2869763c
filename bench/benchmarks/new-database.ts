import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { roundsOf, scanOptions, type BenchContext, type Benchmark } from '../benchmark.ts';
import { interleave, pairwise, wallRatio } from '../interleave.ts';
import { assertAllJudged, assertNothingScanned } from '../read-plan.ts';
import type { MeasuredRun } from '../run-measured.ts';

export const newDatabase: Benchmark = {
  name: 'new-database',
  run: async (context) => {
    const { node, measured, cli } = context;
    await node.importAll();
    const names = node.images.flatMap(({ refs }) => refs);
    const filled = join(node.directory, 'analyses.db');
    const clean = [cli, 'clean', '--dry-run', '-o', 'json', ...scanOptions(context)];
    assertAllJudged(await measured.runWell({ args: [...clean, '--history', filled] }), { names, as: 'vulnerable' });
    await node.renewDatabase();

    const run = async (history: readonly string[]): Promise<MeasuredRun> => {
      const done = await measured.runWell({ args: [...clean, ...history] });
      assertAllJudged(done, { names, as: 'vulnerable' });
      return done;
    };
    const variants = await interleave(
      [
        {
          name: 'analyses of before judged anew',
          run: async () => {
            const history = await copyHistory(context, filled);
            const done = await run(['--history', history]);
            assertNothingScanned(done);
            return done;
          },
        },
        { name: 'scanned anew', run: () => run(['--no-history']) },
      ],
      roundsOf(2, context),
    );
    return {
      name: 'new-database',
      title: `${String(names.length)} images under a vulnerability database that is new`,
      variants,
      figures: [{ name: 'wall time against scanning', unit: 'ratio', samples: pairwise(variants, wallRatio), budget: 0.1 }],
    };
  },
};

/** A run writes its verdicts to the history: each begins with the same one. */
async function copyHistory({ node }: BenchContext, filled: string): Promise<string> {
  const history = join(node.directory, 'analyses-of-a-run.db');
  for (const suffix of ['', '-wal', '-shm']) await rm(`${history}${suffix}`, { force: true });
  await copyFile(filled, history);
  return history;
}
