import { createdContainer } from '../../lab/containers.ts';
import { buildImage, importImages } from '../../lab/images.ts';
import { roundsOf, type BenchContext, type Benchmark } from '../benchmark.ts';
import type { Measurement } from '../figure.ts';
import { interleave, pairwise, wallRatio } from '../interleave.ts';
import { parseMeasuredPart } from '../measured-part.ts';
import { BENCH_REPOSITORIES } from '../node-with-images.ts';

/** Containers that the guards list before each removal. */
const CONTAINERS = 10;
const IN_USE = 'docker.io/bench/in-use:1';

export const removal: Benchmark = {
  name: 'removal',
  run: async (context) => {
    const { node, workload } = context;
    const { containerd, images } = node;
    await importImages(containerd, [buildImage({ refs: [IN_USE], layers: [{ files: { 'app/content': 'in use' } }] })]);
    for (let at = 0; at < CONTAINERS; at += 1) await createdContainer(containerd, { image: IN_USE, command: ['/nothing'] });
    const variants = await interleave(
      [
        {
          name: 'ours: each after its guards, 8 at once',
          run: () => removeAll(context, [workload('remove-with-guards'), containerd.socket, String(images.length)]),
        },
        {
          name: 'one by one, without guards',
          run: () => removeAll(context, [workload('remove-one-by-one'), containerd.socket, BENCH_REPOSITORIES]),
        },
      ],
      roundsOf(4, context),
    );
    return {
      name: 'removal',
      title: `${String(images.length)} images removed`,
      variants,
      figures: [{ name: 'wall time against one by one', unit: 'ratio', samples: pairwise(variants, wallRatio), budget: 0.65 }],
    };
  },
};

async function removeAll({ node, measured }: BenchContext, args: readonly string[]): Promise<Measurement> {
  await node.importAll();
  const { stdout, peakRssBytes } = await measured.runWell({ args });
  const left = await node.listed();
  if (left.length > 0) throw new Error(`${String(left.length)} images are still there`);
  return { ...parseMeasuredPart(stdout), peakRssBytes };
}
