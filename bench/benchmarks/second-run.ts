import { join } from 'node:path';
import { roundsOf, scanOptions, type Benchmark } from '../benchmark.ts';
import { interleave, pairwise, wallDifferenceMs } from '../interleave.ts';
import { assertAllJudged, assertNothingScanned } from '../read-plan.ts';
import type { MeasuredRun } from '../run-measured.ts';

export const secondRun: Benchmark = {
  name: 'second-run',
  run: async (context) => {
    const { node, measured, cli } = context;
    await node.importAll();
    const names = node.images.flatMap(({ refs }) => refs);
    const history = join(node.directory, 'second-run.db');
    const clean = [cli, 'clean', '--dry-run', '-o', 'json', '--history', history, ...scanOptions(context)];
    assertAllJudged(await measured.runWell({ args: clean }), { names, as: 'vulnerable' });
    const again = async (as: 'vulnerable' | 'compliant', options: readonly string[]): Promise<MeasuredRun> => {
      const run = await measured.runWell({ args: [...clean, ...options] });
      assertAllJudged(run, { names, as });
      assertNothingScanned(run);
      return run;
    };
    const list = {
      name: 'list',
      run: () => measured.runWell({ args: [cli, 'list', '-o', 'json', '--runtime-endpoint', node.containerd.endpoint] }),
    };
    const rounds = roundsOf(9, context);
    // What a node is like after a run: all that is left may stay.
    const steady = await interleave(
      [{ name: 'clean --dry-run, nothing to remove', run: () => again('compliant', ['--severity', 'CRITICAL']) }, list],
      rounds,
    );
    const full = await interleave([{ name: 'clean --dry-run, all to remove', run: () => again('vulnerable', []) }, list], rounds);
    return {
      name: 'second-run',
      title: `${String(names.length)} images that were all scanned before`,
      variants: [...steady, full[0]],
      figures: [
        { name: 'wall time beyond list, nothing to remove', unit: 'ms', samples: pairwise(steady, wallDifferenceMs), budget: 100 },
        // The layers of what goes are looked up for the estimate.
        { name: 'wall time beyond list, all to remove', unit: 'ms', samples: pairwise(full, wallDifferenceMs), budget: null },
      ],
    };
  },
};
