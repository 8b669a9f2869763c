import { roundsOf, type Benchmark } from '../benchmark.ts';
import type { Figure, VariantResult } from '../figure.ts';
import { createMemoryGroup } from '../memory-group.ts';
import type { MeasuredRun } from '../run-measured.ts';

const LIMIT_BYTES = 64 * 1024 * 1024;

export const smallMemory: Benchmark = {
  name: 'small-memory',
  run: async (context) => {
    const { node, measured, cli } = context;
    const runtime = ['--runtime-endpoint', node.containerd.endpoint];
    const runs: { name: string; run: MeasuredRun; peakBytes: number }[] = [];
    for (let round = 0; round < roundsOf(2, context); round += 1) {
      await node.importAll();
      const commands = {
        list: [cli, 'list', ...runtime],
        'clean --yes --scanner none': [cli, 'clean', '--yes', '--scanner', 'none', '--no-history', ...runtime],
      };
      for (const [name, args] of Object.entries(commands)) {
        await using group = await createMemoryGroup(LIMIT_BYTES);
        const run = await measured.run({ args, controlGroup: group.directory });
        runs.push({ name, run, peakBytes: await group.readPeak() });
      }
      const left = await node.listed();
      // A run that was killed leaves images, and is counted by its code below.
      if (left.length > 0 && runs.at(-1)?.run.code === 0) throw new Error(`${String(left.length)} images are still there`);
    }
    const names = [...new Set(runs.map(({ name }) => name))];
    const of = (wanted: string): typeof runs => runs.filter(({ name }) => name === wanted);
    return {
      name: 'small-memory',
      title: `whole runs on ${String(node.images.length)} images within ${String(LIMIT_BYTES / 1024 / 1024)} MiB of memory`,
      variants: names.map((name): VariantResult => ({ name, measurements: of(name).map(({ run }) => measurementOf(run)) })),
      figures: names.flatMap((name): Figure[] => [
        { name: `${name} that failed`, unit: 'runs', samples: of(name).map(({ run }) => (run.code === 0 ? 0 : 1)), budget: 0 },
        {
          name: `${name}, memory of its group`,
          unit: 'MiB',
          samples: of(name).map(({ peakBytes }) => peakBytes / 1024 / 1024),
          budget: null,
        },
      ]),
    };
  },
};

function measurementOf({ wallMs, cpuMs, peakRssBytes }: MeasuredRun): VariantResult['measurements'][number] {
  return { wallMs, cpuMs, peakRssBytes };
}
