import { roundsOf, type Benchmark } from '../benchmark.ts';
import { interleave, pairwise, wallDifferenceMs } from '../interleave.ts';

const MIB = 1024 * 1024;
/** 70 MB. */
const PEAK_RSS_BYTES = 70_000_000;

export const start: Benchmark = {
  name: 'start',
  run: async (context) => {
    const { node, measured, cli } = context;
    await node.importAll();
    const variants = await interleave(
      [
        { name: 'list', run: () => measured.runWell({ args: [cli, 'list', '--runtime-endpoint', node.containerd.endpoint] }) },
        { name: 'node -e 0', run: () => measured.runWell({ args: ['-e', '0'] }) },
      ],
      roundsOf(15, context),
    );
    const [list] = variants;
    return {
      name: 'start',
      title: `start and list of ${String(node.images.length)} images`,
      variants,
      figures: [
        { name: 'wall time beyond node -e 0', unit: 'ms', samples: pairwise(variants, wallDifferenceMs), budget: 120 },
        {
          name: 'peak RSS of list',
          unit: 'MiB',
          samples: list.measurements.map(({ peakRssBytes }) => (peakRssBytes ?? Number.NaN) / MIB),
          budget: PEAK_RSS_BYTES / MIB,
        },
      ],
    };
  },
};
