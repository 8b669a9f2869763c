import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { requireRoot } from '../lab/lab-error.ts';
import { runAttached } from '../lab/run-attached.ts';
import type { Benchmark } from './benchmark.ts';
import { bundleWorkloads } from './bundle-workloads.ts';
import { coordinator } from './benchmarks/coordinator.ts';
import { newDatabase } from './benchmarks/new-database.ts';
import { planning } from './benchmarks/planning.ts';
import { removal } from './benchmarks/removal.ts';
import { scanning } from './benchmarks/scanning.ts';
import { secondRun } from './benchmarks/second-run.ts';
import { smallMemory } from './benchmarks/small-memory.ts';
import { start } from './benchmarks/start.ts';
import { benchCluster } from './cluster/bench-cluster.ts';
import { benchDeadNode } from './cluster/bench-dead-node.ts';
import { benchKilled } from './cluster/bench-killed.ts';
import { benchScale } from './cluster/bench-scale.ts';
import { benchScan } from './cluster/bench-scan.ts';
import type { ClusterBenchOptions } from './cluster/cluster-bench.ts';
import type { BenchmarkResult } from './figure.ts';
import { drawChart } from './draw-chart.ts';
import { formatMissed, formatResults } from './format-results.ts';
import { findMissedBudgets } from './judge.ts';
import { startBenchNode } from './node-with-images.ts';
import { MeasuredNode } from './run-measured.ts';

const BENCHMARKS: readonly Benchmark[] = [start, planning, removal, scanning, secondRun, newDatabase, smallMemory, coordinator];
/** Of clusters: the first name stands for all of them. */
const CLUSTER = 'cluster';
const ON_CLUSTERS: Readonly<Record<string, (options: ClusterBenchOptions) => Promise<BenchmarkResult>>> = {
  'cluster-run': benchCluster,
  'cluster-scale': benchScale,
  'cluster-scan': benchScan,
  'cluster-killed': benchKilled,
  'cluster-dead-node': benchDeadNode,
};
const USAGE = `Usage: npm run bench -- [NAME…] [OPTION…]

Names: ${BENCHMARKS.map(({ name }) => name).join(', ')}; all of these if none is given.
       Only if they are named: cluster-run, on a real Kubernetes, in some minutes; over simulated nodes cluster-scale, up to 5,000 of them,
       in ten minutes, cluster-scan, cluster-killed and cluster-dead-node, in five; ${CLUSTER}: all of these.

  --images N        images on the node (default: 200, which the budgets are for)
  --effort X        more or fewer rounds (default: 1)
  --out FILE        the results as JSON (default: bench/results/latest.json); charts, as SVG, beside it
  --markdown        tables in Markdown
  --no-budgets      do not hold the figures against their budgets
  --budget-scale X  multiply every budget, to see them fail

Ends with 1 when a figure is over its budget.
`;

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Settings {
  readonly benchmarks: readonly Benchmark[];
  readonly onClusters: readonly string[];
  readonly images: number;
  readonly effort: number;
  readonly out: string;
  readonly format: 'text' | 'markdown';
  /** null: nothing is held against a budget. */
  readonly budgetScale: number | null;
}

async function bench(settings: Settings): Promise<number> {
  requireRoot('npm run bench');
  const startedAt = new Date().toISOString();
  await runAttached(process.execPath, [join(root, 'scripts/build.ts')]);
  const directory = await mkdtemp(join(tmpdir(), 'image-cleaner-bench-programs-'));
  const results: BenchmarkResult[] = [];
  const workload = (name: string): string => join(directory, `${name}.mjs`);
  try {
    await bundleWorkloads(directory);
    const measured = await MeasuredNode.create(directory);
    for (const benchmark of settings.benchmarks) {
      await using node = await startBenchNode(settings.images, say);
      const result = await benchmark.run({
        node,
        measured,
        cli: join(root, 'dist/image-cleaner.mjs'),
        workload,
        effort: settings.effort,
      });
      say(`${result.name}: ${result.title}`);
      results.push(result);
    }
    for (const name of settings.onClusters) {
      const result = await ON_CLUSTERS[name]?.({ effort: settings.effort, workload, say });
      if (result !== undefined) results.push(result);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const missed = settings.budgetScale === null ? [] : findMissedBudgets(results, settings.budgetScale);
  process.stdout.write(`${formatResults(results, settings.format)}\n`);
  for (const miss of missed) say(formatMissed(miss));
  await mkdir(dirname(settings.out), { recursive: true });
  for (const chart of results.flatMap(({ charts = [] }) => charts)) {
    await writeFile(`${settings.out.replace(/\.json$/, '')}-${chart.name}.svg`, drawChart(chart));
  }
  await writeFile(
    settings.out,
    JSON.stringify({ startedAt, machine: describeMachine(), images: settings.images, results, missed }, null, 2),
  );
  return missed.length > 0 ? 1 : 0;
}

function describeMachine(): Record<string, unknown> {
  return { processor: cpus()[0]?.model ?? '', processors: availableParallelism(), memoryBytes: totalmem(), node: process.version };
}

function readSettings(args: readonly string[]): Settings | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      images: { type: 'string', default: '200' },
      effort: { type: 'string', default: '1' },
      out: { type: 'string', default: join(root, 'bench/results/latest.json') },
      markdown: { type: 'boolean', default: false },
      'no-budgets': { type: 'boolean', default: false },
      'budget-scale': { type: 'string', default: '1' },
    },
  });
  const [images, effort, scale] = [values.images, values.effort, values['budget-scale']].map(Number) as [number, number, number];
  const known = new Set([CLUSTER, ...Object.keys(ON_CLUSTERS), ...BENCHMARKS.map(({ name }) => name)]);
  const isKnown = positionals.every((name) => known.has(name));
  if (!isKnown || !(Number.isInteger(images) && images > 0) || !(effort > 0) || !(scale > 0)) return null;
  return {
    benchmarks: BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
    onClusters: Object.keys(ON_CLUSTERS).filter((name) => positionals.includes(CLUSTER) || positionals.includes(name)),
    images,
    effort,
    out: values.out,
    format: values.markdown ? 'markdown' : 'text',
    budgetScale: values['no-budgets'] ? null : scale,
  };
}

function parseCommandLine(): Settings | null {
  try {
    return readSettings(process.argv.slice(2));
  } catch {
    return null;
  }
}

const settings = parseCommandLine();
if (settings === null) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  process.exitCode = await bench(settings);
}
