import { roundsOf, type Benchmark } from '../benchmark.ts';
import { parseMeasuredPart } from '../measured-part.ts';

/** For each image of the node: 10,000 with the usual 200. */
const IMAGES_PER_IMAGE = 50;
const EXCLUSIONS = 200;

export const planning: Benchmark = {
  name: 'planning',
  run: async (context) => {
    const { node, measured, workload } = context;
    const images = node.images.length * IMAGES_PER_IMAGE;
    const parts = [];
    for (let round = 0; round < roundsOf(7, context); round += 1) {
      const { stdout, peakRssBytes } = await measured.runWell({
        args: ['--expose-gc', workload('plan-removal'), String(images), String(EXCLUSIONS)],
      });
      parts.push({ ...parseMeasuredPart(stdout), peakRssBytes });
    }
    return {
      name: 'planning',
      title: `a plan for ${String(images)} images with verdicts, under ${String(EXCLUSIONS)} exclusions`,
      variants: [{ name: `${String(images)} images`, measurements: parts }],
      figures: [
        { name: 'CPU of the thread that plans', unit: 'ms', samples: parts.map(({ threadCpuMs }) => threadCpuMs), budget: 150 },
        { name: "CPU with V8's own threads", unit: 'ms', samples: parts.map(({ cpuMs }) => cpuMs), budget: null },
      ],
    };
  },
};
