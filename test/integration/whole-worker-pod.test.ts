import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { buildImage, buildLayer, importImages, listImages, removeImages } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { alpineFiles } from '../../lab/sample-packages.ts';
import { ensureTrivy } from '../../lab/tools.ts';
import { declareTrivyDatabase, writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import type { RunSettings } from '../../src/api/coordinator/settings-call.ts';
import type { WorkerContainer } from '../../src/api/worker-pod.ts';
import { openStores } from '../../src/controller/bind/open-stores.ts';
import type { CoordinatorPorts } from '../../src/coordinator/ports.ts';
import { resolveComponents } from '../../src/core/cluster/resolve-components.ts';
import { makeWorkerPod } from '../../src/core/cluster/worker-pod.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import { TOLD_AFTER_MS } from '../../src/worker/share-scans.ts';
import { configOf } from '../fakes/cluster.ts';
import { ControllerInTest, RUN, startCoordinator, type CoordinatorInTest } from '../fakes/coordinator-in-test.ts';
import { temporaryFolder } from '../fakes/history-in-test.ts';
import { logInTest } from '../fakes/log-in-test.ts';
import { parseLog, smallImage, WorkerPod, type RunningWorker, type WorkerResult } from './run-worker-pod.ts';
import { TrivyServerInTest } from './trivy-server-in-test.ts';

/**
 * The three containers of a worker pod, each started by what the controller writes into the pod and nothing else, with a root that cannot be written to;
 * a real containerd, our own coordinator, and Trivy's server behind it.
 */

const CONFIG = {
  apiVersion: 'eraser.sh/v1alpha3',
  kind: 'EraserConfig',
  manager: { logLevel: 'info' },
  components: { collector: { enabled: true }, scanner: { enabled: true } },
};
const OWN = {
  collector: { image: 'docker.io/lab/worker:1', command: ['/usr/bin/worker', 'collector'] },
  scanner: { image: 'docker.io/lab/scanner:1', command: ['/usr/bin/worker', 'trivy-scanner'] },
  remover: { image: 'docker.io/lab/worker:1', command: ['/usr/bin/worker', 'remover'] },
};
const POLICY: RunSettings['scanPolicy'] = {
  severities: ['CRITICAL', 'HIGH'],
  packageClasses: ['os', 'library'],
  ignoreUnfixed: false,
  ignoredStatuses: [],
  ignoredVulnerabilities: [],
  removeEndOfLife: true,
  removeUnscannable: true,
};

const vulnerable = (number: number): ReturnType<typeof buildImage> =>
  buildImage({
    refs: [`docker.io/library/vulnerable:${number}`],
    layers: [buildLayer({ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.5.0-r0' }]) })],
    config: { labels: { number: String(number) } },
  });

describe.skipIf(lacksRealPart('trivy') || lacksRealPart('containerd-v2'))('a whole worker pod', () => {
  let containerd: PrivateContainerd;
  let directory: string;
  let trivy: string;
  let server: TrivyServerInTest;
  let pod: WorkerPod;

  beforeAll(async () => {
    const tool = await ensureTrivy();
    if (tool.kind === 'missing') throw new Error(tool.reason);
    trivy = tool.path;
    directory = await mkdtemp(join(tmpdir(), 'image-cleaner-whole-pod-'));
    const openssl = { ecosystem: 'alpine', release: '3.22', packageName: 'openssl', severity: 'HIGH', fixedVersion: '3.5.1-r0' } as const;
    await writeTrivyDatabase(directory, declareTrivyDatabase([{ ...openssl, id: 'CVE-2026-1' }], new Date('2026-01-01T00:00:00Z')));
    server = await TrivyServerInTest.start(trivy, directory);
    containerd = await startContainerd({ version: 'v2' });
  });
  beforeEach(async () => {
    pod = await WorkerPod.make(containerd.endpoint);
  });
  afterEach(async () => {
    await pod.remove();
    await removeImages(containerd);
  });
  afterAll(async () => {
    await containerd.stop();
    await server.stop();
    await rm(directory, { recursive: true });
  });

  const tags = async (): Promise<string[]> => (await listImages(containerd)).flatMap(({ repoTags }) => repoTags).sort();

  type Knowledge = Pick<CoordinatorPorts, 'images' | 'verdicts'>;

  /** As the manager binds them, with a history on the disk, and what is at this URL as Trivy's server. */
  async function openKnowledge(trivyServer = server.url, history = join(temporaryFolder(), 'history.db')): Promise<Knowledge> {
    const { log } = logInTest();
    const stores = await openStores({
      history: { path: history },
      owner: { cluster: 'here', from: null },
      trivyServer,
      timing: SYSTEM_TIMING,
      wallNow: Date.now,
      log,
    });
    onTestFinished(() => stores.close());
    return stores;
  }

  interface PodInTest extends CoordinatorInTest {
    /** The ids of the images that a node has read. */
    readonly told: string[];
    /** How often it was asked for what is known of images. */
    readonly asked: () => number;
  }

  async function begin(run: 'automatic' | 'manual', knowledge?: Knowledge): Promise<PodInTest> {
    const controller = new ControllerInTest();
    const { images, verdicts } = knowledge ?? (await openKnowledge());
    const told: string[] = [];
    let asked = 0;
    const counting: CoordinatorPorts['verdicts'] = {
      read: (wanted, signal) => {
        asked += 1;
        return verdicts.read(wanted, signal);
      },
      judge: (worker, analyses, signal) => {
        told.push(...analyses.map(({ imageId }) => imageId));
        return verdicts.judge(worker, analyses, signal);
      },
    };
    const coordinator = await startCoordinator({ controller, server: { ports: { ...controller.ports, images, verdicts: counting } } });
    controller.settings = { ...controller.settings, scanPolicy: POLICY };
    await pod.mountCredentials(coordinator.files);
    await pod.writeConfig(JSON.stringify(CONFIG), 'controller_manager_config.yaml');
    await pod.mountExclusions(['excluded']);
    if (run === 'manual') await pod.mountImageList(['*']);
    return { ...coordinator, told, asked: () => asked };
  }

  function containersOf(run: 'automatic' | 'manual', { url }: CoordinatorInTest, isUnderDiskPressure = false): readonly WorkerContainer[] {
    const config = configOf(CONFIG);
    const resolved = resolveComponents(config, OWN);
    if (!resolved.ok) throw new Error(JSON.stringify(resolved.errors));
    const made = makeWorkerPod({
      name: 'eraser-node-1-0123456789',
      job: { name: 'imagejob-x', uid: RUN.job },
      run,
      node: { name: RUN.node, runtime: 'containerd', isUnderDiskPressure },
      manager: config.manager,
      components: resolved.components,
      frame: {
        namespace: 'eraser-system',
        priorityClassName: null,
        seLinuxType: null,
        pullSecrets: [],
        configMaps: { config: 'config', exclusions: ['exclusions'], imageList: run === 'manual' ? ['list'] : [] },
        coordinator: { url, audience: 'image-cleaner-coordinator', caConfigMap: 'ca' },
        scannerTemporaryBytes: 1024 ** 3,
        runMs: 7_200_000,
        deadlineMs: 7_500_000,
      },
    });
    return made.spec.containers;
  }

  async function startPod(
    run: 'automatic' | 'manual',
    coordinator: CoordinatorInTest,
    isUnderDiskPressure = false,
  ): Promise<Map<string, RunningWorker>> {
    const fields = { 'spec.nodeName': RUN.node, 'metadata.name': 'worker-1', 'metadata.namespace': 'eraser-system' };
    const started = new Map<string, RunningWorker>();
    for (const container of containersOf(run, coordinator, isUnderDiskPressure)) {
      started.set(container.name, await pod.startContainer(container, { fields, path: `${dirname(trivy)}:/usr/bin:/bin` }));
    }
    return started;
  }

  async function ends(started: Map<string, RunningWorker>): Promise<Record<string, WorkerResult>> {
    const results = await Promise.all([...started].map(async ([name, { result }]) => [name, await result] as const));
    return Object.fromEntries(results);
  }

  const codesOf = async (started: Map<string, RunningWorker>): Promise<Record<string, number | null>> =>
    Object.fromEntries(Object.entries(await ends(started)).map(([name, { code }]) => [name, code]));

  const ended = async (name: string): Promise<unknown> =>
    JSON.parse(await readFile(pod.path('eraser.sh/shared-data', `${name}-ended`), 'utf8'));

  test('scans through the coordinator, removes, and tells it all: results, who judged, and the logs', async () => {
    const offered = [...Array.from({ length: 10 }, (_, number) => vulnerable(number)), smallImage('docker.io/library/fine:1')];
    await importImages(containerd, offered);
    await importImages(containerd, [smallImage('docker.io/library/excluded:1')]);
    const coordinator = await begin('automatic');
    const started = performance.now();
    const results = await ends(await startPod('automatic', coordinator));
    const ms = performance.now() - started;
    for (const [name, { code, stdout, stderr }] of Object.entries(results)) expect([name, code, stderr], stdout).toEqual([name, 0, '']);
    expect(await tags()).toEqual(['docker.io/library/excluded:1', 'docker.io/library/fine:1']);

    const { controller } = coordinator;
    expect(controller.results).toMatchObject([
      {
        run: RUN,
        results: {
          state: 'completed',
          runtime: { name: 'containerd' },
          scanner: { name: 'trivy', databaseUpdatedAt: '2026-01-01T00:00:00.000Z' },
          summary: { images: 12, removed: 10, keep: 2, failed: 0, scanned: 11 },
        },
      },
    ]);
    expect(await ended('remover')).toMatchObject({ state: 'completed', message: null, mode: 'automatic', removed: 10, failed: 0 });
    for (const [name, { stdout }] of Object.entries(results)) {
      const kept = controller.logs.filter(({ container }) => container === name).flatMap(({ lines }) => lines);
      expect(`${kept.join('\n')}\n`).toBe(stdout);
      expect(parseLog({ code: 0, stdout, stderr: '' }).every((line) => line.component === name && line['node'] === RUN.node)).toBe(true);
    }
    // Each of these is a request to the API server: once, before the plan of the remover, whose removals follow at once.
    expect(controller.asked.nodePods).toBe(1);
    // The collector's settings and inventory, and the remover's, with pods and results: each call is admitted by itself.
    const scans = controller.asked.reviews - controller.logs.length - 6;
    // To begin with; then of four images or more at a time what was read of them, and of the rest; sooner only what has waited for long enough.
    expect(scans).toBeGreaterThanOrEqual(1 + 1);
    expect(scans).toBeLessThanOrEqual(1 + Math.ceil(11 / 4) + Math.floor(ms / TOLD_AFTER_MS));
    // Each once.
    expect(coordinator.told.toSorted()).toEqual(offered.map(({ id }) => id).sort());
    expect(coordinator.events).toEqual([]);
  });

  test('what was read in an earlier run is read by nobody again, and counts all the same', async () => {
    await importImages(containerd, [vulnerable(1), smallImage('docker.io/library/fine:1')]);
    const knowledge = await openKnowledge();
    const first = await begin('automatic', knowledge);
    await ends(await startPod('automatic', first));
    expect(await tags()).toEqual(['docker.io/library/fine:1']);
    expect(first.told).toHaveLength(2);

    await pod.remove();
    pod = await WorkerPod.make(containerd.endpoint);
    await importImages(containerd, [vulnerable(1)]);
    const second = await begin('automatic', knowledge);
    const { 'trivy-scanner': scanner } = await ends(await startPod('automatic', second));
    expect(await tags()).toEqual(['docker.io/library/fine:1']);
    expect([second.told, second.asked()]).toEqual([[], 1]);
    expect(scanner?.stdout).not.toContain('scan started');
    const summary = { removed: 1, scanned: 0, verdictsReused: 2 };
    expect(second.controller.results).toMatchObject([{ results: { scanner: { name: 'trivy' }, summary } }]);
  });

  test('a node under disk pressure, without a scanner, goes by what is on record by the database of now; without that, nothing goes', async () => {
    await importImages(containerd, [vulnerable(1), smallImage('docker.io/library/fine:1')]);
    const history = join(temporaryFolder(), 'history.db');
    await ends(await startPod('automatic', await begin('automatic', await openKnowledge(server.url, history))));
    expect(await tags()).toEqual(['docker.io/library/fine:1']);

    await importImages(containerd, [vulnerable(1)]);
    const remove = async (trivyUrl: string): Promise<[Record<string, number | null>, PodInTest]> => {
      await pod.remove();
      pod = await WorkerPod.make(containerd.endpoint);
      const coordinator = await begin('automatic', await openKnowledge(trivyUrl, history));
      return [await codesOf(await startPod('automatic', coordinator, true)), coordinator];
    };
    expect((await remove('http://127.0.0.1:1'))[0]).toEqual({ remover: 0 });
    expect(await tags()).toEqual(['docker.io/library/fine:1', 'docker.io/library/vulnerable:1']);
    const [codes, { controller, told }] = await remove(server.url);
    expect(codes).toEqual({ remover: 0 });
    expect(await tags()).toEqual(['docker.io/library/fine:1']);
    expect(controller.results).toMatchObject([{ results: { summary: { removed: 1, scanned: 0, verdictsReused: 2 } } }]);
    expect(told).toEqual([]);
  });

  test('Trivy’s server is away: all wait for it, and stopped, they have removed nothing and told why', async () => {
    await importImages(containerd, [vulnerable(1)]);
    const before = await tags();
    const coordinator = await begin('automatic', await openKnowledge('http://127.0.0.1:1'));
    const started = await startPod('automatic', coordinator);
    await started.get('remover')?.seen('waiting for the verdicts');
    await waitUntil('Trivy’s server is asked again', () => Promise.resolve(coordinator.asked() > 1));
    for (const { child } of started.values()) child.kill('SIGTERM');
    expect(await codesOf(started)).toEqual({ collector: 143, remover: 143, 'trivy-scanner': 143 });
    expect(await tags()).toEqual(before);
    expect(coordinator.controller.results).toMatchObject([{ results: { state: 'interrupted', decisions: [] } }]);
    const told = new Set(coordinator.controller.logs.map(({ container }) => container));
    expect(told).toEqual(new Set(['collector', 'remover', 'trivy-scanner']));
  });

  test('what is in the place of Trivy’s server is none: nothing is removed, and all end by themselves, the cause told', async () => {
    await importImages(containerd, [vulnerable(1)]);
    const before = await tags();
    const page = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<html>')).listen(0, '127.0.0.1');
    await once(page, 'listening');
    onTestFinished(() => void page.close());
    const { port } = page.address() as AddressInfo;
    const coordinator = await begin('automatic', await openKnowledge(`http://127.0.0.1:${port}`));
    expect(await codesOf(await startPod('automatic', coordinator))).toEqual({ collector: 0, remover: 3, 'trivy-scanner': 1 });
    expect(await tags()).toEqual(before);
    const said = { state: 'refused', message: expect.stringMatching(/the scanner has failed: .*version/) as string };
    expect(await ended('remover')).toMatchObject(said);
    expect(coordinator.controller.results).toMatchObject([{ results: { ...said, decisions: [] } }]);
  });

  test('a manual run: a remover alone, which asks about pods once, and again after two seconds', async () => {
    await importImages(
      containerd,
      Array.from({ length: 10 }, (_, number) => smallImage(`docker.io/library/listed:${number}`)),
    );
    const coordinator = await begin('manual');
    const started = performance.now();
    const { remover } = await ends(await startPod('manual', coordinator));
    const seconds = (performance.now() - started) / 1_000;
    expect([remover?.code, remover?.stderr], remover?.stdout).toEqual([0, '']);
    expect(await tags()).toEqual([]);
    expect(coordinator.controller.asked.nodePods).toBeGreaterThanOrEqual(1);
    // What is known of them holds for two seconds.
    expect(coordinator.controller.asked.nodePods).toBeLessThanOrEqual(1 + Math.floor(seconds / 2));
    expect(coordinator.controller.results).toMatchObject([{ results: { mode: 'manual', scanner: null, summary: { removed: 10 } } }]);
  });

  test('nothing but the temporary folder and that of the pipes can be written to', async () => {
    const coordinator = await begin('manual');
    const [remover] = containersOf('manual', coordinator);
    if (remover === undefined) throw new Error('no container');
    const tries = ['/var/lib/image-cleaner-test', '/run/image-cleaner/token/new', '/tmp/new'].map(
      (path) => `touch ${path} && echo ${path}`,
    );
    const shell = { ...remover, command: ['sh', '-c', `${tries.join('; ')}; :`], args: [] };
    const { stdout } = await (await pod.startContainer(shell, { fields: {}, path: '/usr/bin:/bin' })).result;
    expect(stdout).toBe('/tmp/new\n');
  });
});
