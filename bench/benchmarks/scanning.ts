import { roundsOf, scanOptions, type Benchmark } from '../benchmark.ts';
import { interleave, pairwise, wallRatio } from '../interleave.ts';
import { assertAllJudged } from '../read-plan.ts';

export const scanning: Benchmark = {
  name: 'scanning',
  run: async (context) => {
    const { node, measured, cli, workload } = context;
    await node.importAll();
    const names = node.images.flatMap(({ refs }) => refs);
    const variants = await interleave(
      [
        {
          name: 'ours: clean --dry-run, from start to end',
          run: async () => {
            const run = await measured.runWell({
              args: [cli, 'clean', '--dry-run', '--no-history', '-o', 'json', ...scanOptions(context)],
            });
            assertAllJudged(run, { names, as: 'vulnerable' });
            return run;
          },
        },
        {
          name: 'a Trivy process after the other',
          run: () =>
            measured.runWell({
              args: [workload('scan-one-by-one'), node.trivy, node.cacheDir, node.containerd.socket, node.directory, ...names],
            }),
        },
      ],
      roundsOf(2, context),
    );
    return {
      name: 'scanning',
      title: `${String(names.length)} images scanned for the first time`,
      variants,
      figures: [{ name: 'wall time against one by one', unit: 'ratio', samples: pairwise(variants, wallRatio), budget: 0.65 }],
    };
  },
};
