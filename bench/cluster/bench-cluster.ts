import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildImage, type Image } from '../../lab/build-image.ts';
import { startCluster } from '../../lab/cluster.ts';
import { demoDatabase } from '../../lab/demo-images.ts';
import { writeImageArchive } from '../../lab/image-archive.ts';
import { AUTOMATIC, Installation, MANUAL } from '../../lab/installation.ts';
import { runCommand } from '../../lab/run-command.ts';
import { alpineFiles } from '../../lab/sample-packages.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import { assembleImages } from '../../scripts/images/assemble-images.ts';
import type { BenchmarkResult, Figure, Measurement } from '../figure.ts';
import type { ClusterBenchOptions } from './cluster-bench.ts';
import { findManager, type ManagerProcess } from './manager-process.ts';
import { countRequests } from './read-audit-log.ts';
import { RunWatch } from './run-watch.ts';

const NAME = 'cluster-run';
const IMAGES = 30;
const VULNERABLE = 10;
const PAPER_NODES = 200;
/** 110 MB. */
const MOST_RSS_MIB = 104.9;
const IDLE_MS = 60_000;
const SETTLE_MS = 5_000;
const READ_MS = 200;
/** From one automatic run to the next: more than a run and twice the time to settle. */
const INTERVAL_S = 25;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A run on one node, from its ImageJob's making to its completion, as a watcher sees it; and what the manager costs, also when nothing goes on. */
export async function benchCluster({ effort, say }: ClusterBenchOptions): Promise<BenchmarkResult> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-bench-cluster-'));
  const images = await assembleImages({
    root,
    repository: 'docker.io/library',
    tag: null,
    revision: null,
    compression: 'zstd',
    created: new Date(0),
    onProgress: say,
  });
  await using cluster = await startCluster({ nodes: 1 }, say);
  try {
    const archive = join(folder, 'images.tar');
    await writeImageArchive(archive, Object.values(images));
    await cluster.nodes[0]?.containerd.ctr(['images', 'import', archive]);
    await writeTrivyDatabase(folder, demoDatabase());
    await chmod(folder, 0o777);
    const [image = ''] = images['image-cleaner'].refs;
    const [scannerImage = ''] = images['image-cleaner-scanner'].refs;
    const site = await Installation.connect({ cluster: cluster.facts, image, scannerImage, trivyCache: folder, leaseDuration: '15s' });
    const enable = ['enable', '--image', image, '--scanner-image', scannerImage];
    const offline = ['--trivy-cache-host-path', folder, '--trivy-arg=--skip-db-update'];
    const bench = new ClusterBench({
      site,
      auditLog: cluster.facts.auditLog ?? '',
      runs: await RunWatch.begin(cluster.kubeconfig),
      enable: () => clusterCommand(cluster.kubeconfig, [...enable, ...offline]),
      purge: () => clusterCommand(cluster.kubeconfig, ['disable', '--purge', '--yes']),
    });
    try {
      return await bench.run(Math.max(2, Math.round(5 * effort)));
    } finally {
      await bench.close();
      await site.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Measured extends Measurement {
  /** Of the API, but for watches and the renewals of the Lease. */
  readonly requests: number;
}

/** As an operator does it. */
async function clusterCommand(kubeconfig: string, args: readonly string[]): Promise<void> {
  await runCommand(process.execPath, [join(root, 'dist/image-cleaner.mjs'), 'cluster', ...args, '--kubeconfig', kubeconfig]);
}

interface BenchedCluster {
  readonly site: Installation;
  readonly auditLog: string;
  readonly runs: RunWatch;
  readonly enable: () => Promise<void>;
  readonly purge: () => Promise<void>;
}

class ClusterBench {
  readonly #site: Installation;
  readonly #auditLog: string;
  readonly #runs: RunWatch;
  readonly #commands: Pick<BenchedCluster, 'enable' | 'purge'>;

  constructor({ site, auditLog, runs, ...commands }: BenchedCluster) {
    this.#site = site;
    this.#auditLog = auditLog;
    this.#runs = runs;
    this.#commands = commands;
  }

  close(): Promise<void> {
    return this.#runs.close();
  }

  async run(rounds: number): Promise<BenchmarkResult> {
    const first: Measured[] = [];
    const again: Measured[] = [];
    const manual: Measured[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await this.#site.nodes[0]?.removeImages();
      await this.#site.nodes[0]?.import(sampleImages(round));
      // Nothing of an earlier round is known: neither to the manager nor to Trivy's server.
      await this.#site.reinstall(EVERY);
      const manager = await findManager();
      first.push(await this.#measureNext(manager));
      again.push(await this.#measureNext(manager));
      await this.#site.configure(MANUAL);
      await sleep(SETTLE_MS);
      manual.push(await this.#measure(manager, () => this.#site.applyList(namesOf(round))));
    }
    const idle = await this.#idle();
    const enabled = await this.#enable(rounds);
    const figures: Figure[] = [
      { name: 'automatic run, scan included', unit: 'ms', samples: first.map(({ wallMs }) => wallMs), budget: 5_000 },
      { name: 'automatic run again, nothing new', unit: 'ms', samples: again.map(({ wallMs }) => wallMs), budget: 3_000 },
      { name: 'manual run, 10 names', unit: 'ms', samples: manual.map(({ wallMs }) => wallMs), budget: 2_300 },
      { name: "manager's CPU for it, scan included", unit: 'ms', samples: first.map(({ cpuMs }) => cpuMs), budget: 300 },
      { name: "manager's CPU for it, nothing new", unit: 'ms', samples: again.map(({ cpuMs }) => cpuMs), budget: 300 },
      { name: "manager's CPU for a manual run", unit: 'ms', samples: manual.map(({ cpuMs }) => cpuMs), budget: 300 },
      {
        name: 'API requests for a run',
        unit: 'runs',
        samples: [...first, ...again, ...manual].map(({ requests }) => requests),
        budget: 52,
      },
      {
        name: `manager's RSS, idle with ${String(PAPER_NODES)} nodes`,
        unit: 'MiB',
        samples: [idle.rssBytes / 1024 / 1024],
        budget: MOST_RSS_MIB,
      },
      { name: 'from `cluster enable` to a worker pod that runs', unit: 'ms', samples: enabled, budget: 20_000 },
      { name: 'API requests in an idle minute', unit: 'runs', samples: [idle.requests], budget: 0 },
    ];
    return {
      name: NAME,
      title: `a node with ${String(IMAGES)} small unused images, ${String(VULNERABLE)} of them vulnerable`,
      variants: [
        { name: 'automatic', measurements: first },
        { name: 'automatic, again', measurements: again },
        { name: 'manual', measurements: manual },
      ],
      figures,
    };
  }

  /** The next run of the schedule, long enough after what was before. */
  async #measureNext(manager: ManagerProcess): Promise<Measured> {
    await sleep(SETTLE_MS);
    return this.#measure(manager, () => Promise.resolve());
  }

  /** `begin` makes one run begin. */
  async #measure(manager: ManagerProcess, begin: () => Promise<void>): Promise<Measured> {
    const requests = await countRequests(this.#auditLog);
    const begun = this.#runs.next();
    await begin();
    const cpuMs = await readUntil(begun, () => manager.cpuMs());
    const wallMs = await (await begun).untilCompleted();
    await sleep(SETTLE_MS);
    return {
      wallMs,
      cpuMs: (await manager.cpuMs()) - cpuMs,
      peakRssBytes: await manager.rssBytes(),
      requests: (await countRequests(this.#auditLog)) - requests,
    };
  }

  async #idle(): Promise<{ readonly rssBytes: number; readonly requests: number }> {
    const items = paperNodes().map((name) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/os': 'linux' } },
    }));
    await this.#site.do(['create', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
    await this.#site.reinstall(MANUAL);
    const manager = await findManager();
    await sleep(SETTLE_MS);
    const requests = await countRequests(this.#auditLog);
    await sleep(IDLE_MS);
    return { rssBytes: await manager.rssBytes(), requests: (await countRequests(this.#auditLog)) - requests };
  }

  /** Of a cluster that has nothing of it; ends with the manager taken away again. */
  async #enable(rounds: number): Promise<number[]> {
    // The purge takes the kinds away that it watches.
    await this.#runs.close();
    await this.#site.do(['delete', 'nodes', ...paperNodes()]);
    const samples: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await this.#commands.purge();
      const started = performance.now();
      const enabled = this.#commands.enable();
      const runs = async (): Promise<boolean> => (await this.#site.workerPods()).some(({ status }) => status.phase === 'Running');
      await Promise.race([enabled.then(() => new Promise(() => undefined)), waitUntil('a worker pod runs', runs, PATIENCE)]);
      samples.push(performance.now() - started);
      await enabled;
    }
    await this.#commands.purge();
    return samples;
  }
}

const PATIENCE = { timeoutMs: 120_000, pollMs: 50 };

const paperNodes = (): string[] => Array.from({ length: PAPER_NODES }, (_, number) => `paper-${String(number)}`);

/** Automatic runs, the first of them long enough after the start for the manager to have come to rest. */
const EVERY = {
  ...AUTOMATIC,
  manager: { ...AUTOMATIC.manager, scheduling: { repeatInterval: `${String(INTERVAL_S)}s`, beginImmediately: false } },
};

/** What was read last before the promise resolved. */
async function readUntil(promise: Promise<unknown>, read: () => Promise<number>): Promise<number> {
  for (;;) {
    const value = await read();
    if (await Promise.race([promise.then(() => true), sleep(READ_MS).then(() => false)])) return value;
  }
}

const nameOf = (round: number, number: number): string => `docker.io/bench/app-${String(round)}-${String(number)}:1`;

function sampleImages(round: number): Image[] {
  return Array.from({ length: IMAGES }, (_, number) => {
    const version = number < VULNERABLE ? '3.0.0-r0' : '3.5.1-r0';
    const files = { ...alpineFiles('3.22.0', [{ name: 'openssl', version }]), 'app/content': nameOf(round, number) };
    return buildImage({ refs: [nameOf(round, number)], layers: [{ files }] });
  });
}

/** Of images that an automatic run leaves. */
function namesOf(round: number): string[] {
  return Array.from({ length: 10 }, (_, number) => nameOf(round, VULNERABLE + number));
}
