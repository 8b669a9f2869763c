import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { removeSandbox, runningContainer, stoppedContainer, type ContainerInPod } from '../../lab/containers.ts';
import { demoDatabase, demoImages } from '../../lab/demo-images.ts';
import { addRepoDigest, importImages, listImageIds, listImages, removeImages, pinImage, tagImage } from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { CONTAINERD_VERSIONS, ensureTrivy } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { RUN, startCoordinator, type CoordinatorInTest } from '../fakes/coordinator-in-test.ts';
import { buildEraserScanner } from '../eraser-scanner/build.ts';
import { fastClock } from './bad-input/fake-clock.ts';
import { keptReasons, parseLog, smallImage, WorkerPod, type RunningWorker, type WorkerResult } from './run-worker-pod.ts';

/** The programs of a worker pod as real processes, with real pipes, on a real containerd; what went is read from the runtime's own list. */

const SHOP = 'docker.io/library/shop:2.1';
const MIGRATE = 'docker.io/library/migrate:7';
const PAUSE = 'registry.k8s.io/pause:3.10';

const library = (name: string): string => `docker.io/library/${name}`;

for (const version of CONTAINERD_VERSIONS) {
  describe.skipIf(lacksRealPart(`containerd-${version}`))(`a worker pod on containerd ${version}`, () => {
    let containerd: PrivateContainerd;
    let pod: WorkerPod;
    const containers: ContainerInPod[] = [];

    beforeAll(async () => {
      containerd = await startContainerd({ version });
    });
    beforeEach(async () => {
      pod = await WorkerPod.make(containerd.endpoint);
    });
    afterEach(async () => {
      await pod.remove();
      for (const { sandbox } of containers.splice(0)) await removeSandbox(containerd, sandbox);
      await removeImages(containerd);
    });
    afterAll(async () => {
      await containerd.stop();
    });

    async function tags(): Promise<string[]> {
      return (await listImages(containerd)).flatMap(({ repoTags }) => repoTags).sort();
    }

    async function importNamed(...names: string[]): Promise<void> {
      await importImages(containerd, names.map(smallImage));
    }

    /** A running and an exited container, with the images that they are of. */
    async function startContainers(): Promise<void> {
      const { running, stopped } = await demoImages();
      await importImages(containerd, [running, stopped]);
      containers.push(await runningContainer(containerd, { image: SHOP }), await stoppedContainer(containerd, { image: MIGRATE }));
    }

    describe('a manual run', () => {
      async function removeListed(images: readonly string[], exclusions: readonly string[] = []): Promise<WorkerResult> {
        const args = [await pod.mountExclusions(exclusions), await pod.mountImageList(images)];
        return pod.start('remover', ['--run=manual', ...args]).result;
      }

      test('"*" removes what nothing uses; in use, pause and excluded images stay, and are reported', async () => {
        await startContainers();
        await importNamed(library('unused:1'), library('excluded:1'), 'ghcr.io/acme/app:1');
        const result = await removeListed(['*'], ['excluded', 'ghcr.io/acme/*']);
        expect(result).toMatchObject({ code: 0, stderr: '' });
        expect(await tags()).toEqual([library('excluded:1'), MIGRATE, SHOP, 'ghcr.io/acme/app:1', PAUSE]);
        expect(keptReasons(result)).toEqual({
          [library('excluded:1')]: 'excluded',
          [MIGRATE]: 'in-use',
          [SHOP]: 'in-use',
          'ghcr.io/acme/app:1': 'excluded',
          [PAUSE]: 'pinned',
        });
        expect(parseLog(result).filter(({ message }) => message === 'image removed')).toMatchObject([
          { component: 'remover', node: 'node-1', image: library('unused:1'), reason: 'listed' },
        ]);
        expect(await pod.terminationLog('remover')).toMatchObject({
          state: 'completed',
          mode: 'manual',
          images: 6,
          removed: 1,
          failed: 0,
          reclaimedBytes: expect.any(Number) as unknown,
        });
      });

      test('a tag, a digest, an id, a name in short form, one of two tags; nothing else', async () => {
        const [byTag, byDigest, byId, twoTags, short, other] = ['tag', 'digest', 'id', 'two', 'short', 'other'].map((name) =>
          smallImage(library(`${name}:1`)),
        ) as [...Parameters<typeof importImages>[1]] & Record<0 | 1 | 2 | 3 | 4 | 5, ReturnType<typeof smallImage>>;
        await importImages(containerd, [byTag, byDigest, byId, twoTags, short, other]);
        await tagImage(containerd, library('two:1'), 'ghcr.io/acme/second:1');
        const digestName = await addRepoDigest(containerd, byDigest, library('digest'));
        const digest = digestName.slice(digestName.indexOf('@') + 1);
        const result = await removeListed([library('tag:1'), digest, byId.id, 'ghcr.io/acme/second:1', 'short:1', library('absent:1')]);
        expect(result.code).toBe(0);
        expect(await tags()).toEqual([library('other:1')]);
        expect(parseLog(result).filter(({ level }) => level === 'warn')).toMatchObject([
          { message: 'no image on this node', entry: library('absent:1') },
        ]);
      });

      test('a listed image that a container uses stays, running or exited, and is reported', async () => {
        await startContainers();
        const result = await removeListed([SHOP, MIGRATE]);
        expect(result.code).toBe(0);
        expect(await tags()).toEqual([MIGRATE, SHOP, PAUSE]);
        const reported = parseLog(result).filter(({ message }) => message === 'image kept');
        expect(reported.find(({ image }) => image === MIGRATE)?.['why']).toMatch(/^in use by container .*\(exited\)$/);
      });

      test('lists in several configmaps are read whole', async () => {
        const names = Array.from({ length: 12 }, (_, at) => library(`part:${String(at)}`));
        await importNamed(...names);
        const [excluded, listed] = [names.slice(0, 6), names.slice(3)];
        const args = [await pod.mountExclusions(excluded, 100), await pod.mountImageList(listed, 100)];
        expect(args).toEqual([expect.stringMatching(/[2-9]$/) as unknown, expect.stringMatching(/[2-9]$/) as unknown]);
        expect((await pod.start('remover', ['--run=manual', ...args]).result).code).toBe(0);
        expect(await tags()).toEqual([...excluded].sort());
      });

      test('with a list that cannot be read whole, or has one bad entry, nothing is removed', async () => {
        await importNamed(library('unused:1'));
        const before = await listImageIds(containerd);
        const listed = await pod.mountImageList(['*']);
        const parts = await pod.mountExclusions(['one', 'two', 'three'], 20);
        expect(parts).toBe('--exclusions=3');
        for (const args of [
          ['--exclusions=2', listed],
          ['--exclusions=4', listed],
          [listed],
          [parts, '--image-list=0'],
          [parts, '--image-list=2'],
          [await pod.mountExclusions(['a b']), listed],
          ['--exclusions=0', await pod.mountImageList(['*', 'nginx:*'])],
        ]) {
          const result = await pod.start('remover', ['--run=manual', ...args]).result;
          expect(result.code, `${args.join(' ')}\n${result.stdout}`).toBe(2);
          expect(await listImageIds(containerd)).toEqual(before);
        }
      });

      test.skipIf(version === 'debian')('an image that the runtime has pinned stays', async () => {
        await importNamed(library('pinned:1'), library('other:1'));
        expect(await pinImage(containerd, library('pinned:1'))).toBe(true);
        expect((await removeListed(['*'])).code).toBe(0);
        expect(await tags()).toEqual([library('pinned:1')]);
      });
    });

    describe('an automatic run', () => {
      const ALONE = '--coordinator=none';
      /** The ends of the programs that were started, by their names. */
      interface Ends {
        readonly collector: WorkerResult;
        readonly remover: WorkerResult;
      }

      async function startPod(config: string, scanner: string, exclusions: readonly string[]): Promise<RunningPod> {
        const args = [ALONE, await pod.writeConfig(config), `--scanner=${scanner}`, await pod.mountExclusions(exclusions)];
        // In no order, as containers start.
        const remover = pod.start('remover', ['--run=automatic', ...args]);
        const collector = pod.start('collector', args);
        return { collector, remover, ends: async () => ({ collector: await collector.result, remover: await remover.result }) };
      }

      interface RunningPod {
        readonly collector: RunningWorker;
        readonly remover: RunningWorker;
        readonly ends: () => Promise<Ends>;
      }

      async function importMixed(): Promise<void> {
        await startContainers();
        await importNamed(library('unused:1'), library('other:1'), library('excluded:1'));
      }
      const EXCLUSIONS = ['excluded'];
      const KEPT = [library('excluded:1'), MIGRATE, SHOP, PAUSE];

      test('with the scanner off, what nothing uses goes, and nothing else', async () => {
        await importMixed();
        const { collector, remover } = await (await startPod(configWith('off'), 'off', EXCLUSIONS)).ends();
        expect(remover, remover.stdout).toMatchObject({ code: 0, stderr: '' });
        expect(collector, collector.stdout).toMatchObject({ code: 0, stderr: '' });
        expect(await tags()).toEqual(KEPT);
        expect(parseLog(collector)).toContainEqual(expect.objectContaining({ message: 'images offered for removal', images: 2 }));
        expect(await pod.terminationLog('remover')).toMatchObject({ state: 'completed', mode: 'automatic', images: 6, removed: 2 });
      });

      describe('with a coordinator', () => {
        interface WithCoordinator {
          readonly coordinator: CoordinatorInTest;
          readonly start: (program: string, ...args: string[]) => RunningWorker;
          /** Its patience is that of a pod, by a clock of its own: half a minute of it is three seconds here. */
          readonly startInHaste: (program: string, ...args: string[]) => Promise<RunningWorker>;
        }

        /** Whose run has the scanner off, a CronJob that wants `report:1` again, and a pod that is about to start `nginx:1`. */
        async function withCoordinator(): Promise<WithCoordinator> {
          const coordinator = await startCoordinator();
          const { tokenFile, caFile } = coordinator.files;
          const env = {
            JOB_UID: RUN.job,
            COORDINATOR_URL: coordinator.url,
            COORDINATOR_TOKEN_FILE: tokenFile,
            COORDINATOR_CA_FOLDER: dirname(caFile),
          };
          const exclusions = await pod.mountExclusions(['excluded']);
          await importMixed();
          await importNamed(library('nginx:1'), 'registry.example/report:1');
          const startWith = (more: Readonly<Record<string, string>>, program: string, ...args: string[]): RunningWorker =>
            pod.start(program, ['--scanner=off', exclusions, ...args], { env: { ...env, ...more } });
          return {
            coordinator,
            start: (program, ...args) => startWith({}, program, ...args),
            startInHaste: async (program, ...args) => startWith(lacksRealPart('fake-clock') ? {} : await fastClock(10), program, ...args),
          };
        }

        test('what the cluster wants stays; what came of the run is with the coordinator', async () => {
          const { coordinator, start } = await withCoordinator();
          const collector = start('collector');
          const remover = await start('remover', '--run=automatic').result;
          expect(remover, remover.stdout).toMatchObject({ code: 0, stderr: '' });
          expect((await collector.result).code).toBe(0);
          expect(await tags()).toEqual([...KEPT, library('nginx:1'), 'registry.example/report:1'].sort());
          expect(keptReasons(remover)).toMatchObject({ [library('nginx:1')]: 'in-use', 'registry.example/report:1': 'protected' });
          const { reports, results } = coordinator.controller;
          // Only the remover knows of the pods that are about to start.
          expect(reports.map(({ inventory, inUse }) => [inventory.images.length, inUse.length])).toEqual([
            [8, 2],
            [8, 3],
          ]);
          expect(results).toMatchObject([{ run: RUN, results: { state: 'completed', summary: { images: 8, removed: 2, failed: 0 } } }]);
          const gone = results[0]?.results.decisions.filter(({ removal }) => removal?.state === 'removed');
          expect(gone?.flatMap(({ repoTags }) => repoTags).sort()).toEqual([library('other:1'), library('unused:1')]);
        });

        test('a manual run that has one keeps what pods are about to start, and tells it what came of it', async () => {
          const { coordinator, start } = await withCoordinator();
          const remover = await start('remover', '--run=manual', await pod.mountImageList(['nginx:1', 'other:1'])).result;
          expect(remover, remover.stdout).toMatchObject({ code: 0, stderr: '' });
          expect(await tags()).toEqual([...KEPT, library('nginx:1'), library('unused:1'), 'registry.example/report:1'].sort());
          expect(coordinator.controller.results).toMatchObject([{ results: { mode: 'manual', summary: { removed: 1 } } }]);
        });

        test.skipIf(version === 'debian')('away, or of another mind, it leaves an automatic run without anything to remove', async () => {
          const { coordinator, start, startInHaste } = await withCoordinator();
          const before = await listImageIds(containerd);
          coordinator.controller.running.clear();
          const refused = await start('remover', '--run=remover-only').result;
          expect(refused.code, refused.stdout).toBe(1);
          await coordinator.server.close(0);
          const waiting = await startInHaste('remover', '--run=remover-only');
          await waiting.seen('the coordinator is called again');
          waiting.child.kill('SIGTERM');
          const stopped = await waiting.result;
          expect(stopped.code, stopped.stdout).toBe(143);
          expect(await listImageIds(containerd)).toEqual(before);
        });

        test.skipIf(version === 'debian')('away, it is waited for by a manual run for some seconds only', async () => {
          const { coordinator, startInHaste } = await withCoordinator();
          await coordinator.server.close(0);
          const remover = await (await startInHaste('remover', '--run=manual', await pod.mountImageList(['*']))).result;
          expect(remover.code, remover.stdout).toBe(0);
          expect(await tags()).toEqual(KEPT);
        });
      });

      describe.skipIf(lacksRealPart('trivy'))('with our scanner', () => {
        let cacheDir: string;
        let trivy: string;
        beforeAll(async () => {
          const tool = await ensureTrivy();
          if (tool.kind === 'missing') throw new Error(tool.reason);
          trivy = tool.path;
          cacheDir = await mkdtemp(join(tmpdir(), 'image-cleaner-trivy-'));
          await writeTrivyDatabase(cacheDir, demoDatabase());
        });
        afterAll(() => rm(cacheDir, { recursive: true }));

        const startScanner = async (config: string): Promise<RunningWorker> =>
          pod.start('trivy-scanner', [await pod.writeConfig(config), `--trivy=${trivy}`, '--database=as-is']);

        test('what is vulnerable by the policy or past its end of life goes, with the reason; all else stays', async () => {
          await importImages(containerd, (await demoImages()).all);
          containers.push(await runningContainer(containerd, { image: SHOP }), await stoppedContainer(containerd, { image: MIGRATE }));
          const config = configWith('trivy', cacheDir);
          const running = await startPod(config, 'trivy', ['ghcr.io/acme/*']);
          const scanner = await (await startScanner(config)).result;
          const { collector, remover } = await running.ends();
          expect(remover, remover.stdout).toMatchObject({ code: 0, stderr: '' });
          expect(collector, collector.stdout).toMatchObject({ code: 0, stderr: '' });
          expect(scanner, scanner.stdout).toMatchObject({ code: 0, stderr: '' });
          const removed = parseLog(remover).filter(({ message }) => message === 'image removed');
          expect(Object.fromEntries(removed.map((line) => [line['image'], line['cves'] ?? line['reason']]))).toEqual({
            [library('legacy:1')]: 'end-of-life',
            [library('reports:3')]: ['CVE-2026-20001'],
            [library('web:1.0')]: ['CVE-2026-10001'],
          });
          const left = ['blog:5', 'cache:4', 'chat:2', 'proxy:9', 'web:1.1'].map(library);
          expect(await tags()).toEqual([...left, MIGRATE, SHOP, 'ghcr.io/acme/billing:1', PAUSE].sort());
        });

        test('when it cannot work, it says so, and nothing is removed', async () => {
          await importImages(containerd, (await demoImages()).all);
          const before = await listImageIds(containerd);
          const config = configWith('trivy', join(cacheDir, 'empty'));
          const running = await startPod(config, 'trivy', []);
          const scanner = await (await startScanner(config)).result;
          expect(scanner.code, scanner.stdout).toBe(1);
          expect((await running.collector.result).code).toBe(0);
          expect((await running.remover.result).code).toBe(3);
          expect(await pod.terminationLog('remover')).toMatchObject({
            message: expect.stringContaining('the scanner has failed') as unknown,
          });
          expect(await listImageIds(containerd)).toEqual(before);
        });

        test('killed while it scans, it leaves the others waiting, and nothing is removed', async () => {
          await importImages(containerd, (await demoImages()).all);
          const before = await listImageIds(containerd);
          const config = configWith('trivy', cacheDir);
          const { collector, remover } = await startPod(config, 'trivy', []);
          const scanner = await startScanner(config);
          await scanner.seen('scan started');
          scanner.child.kill('SIGKILL');
          await scanner.result;
          for (const { child } of [collector, remover]) child.kill('SIGTERM');
          expect([(await collector.result).code, (await remover.result).code]).toEqual([143, 143]);
          expect(await listImageIds(containerd)).toEqual(before);
        });
      });

      describe('with a custom scanner, made to the template of Eraser', () => {
        let scanner: string;
        let folder: string;
        beforeAll(async () => {
          folder = await mkdtemp(join(tmpdir(), 'image-cleaner-scanner-'));
          scanner = await buildEraserScanner(join(folder, 'scanner'));
        });
        afterAll(() => rm(folder, { recursive: true }));

        const scannerArgs = ['--config=/config/controller_manager_config.yaml', '--enable-pprof=false', '--pprof-port=6060'];
        const startScanner = (env: Record<string, string>): RunningWorker => pod.startFile(scanner, scannerArgs, { env });

        test('what it rejects goes, what it accepts stays; it is offered no image that is in use, pinned or excluded', async () => {
          await importMixed();
          const running = await startPod(configWith('custom'), 'custom', EXCLUSIONS);
          const custom = startScanner({ REJECT: `${library('unused:1')},${SHOP},${library('excluded:1')}` });
          const { collector, remover } = await running.ends();
          expect(remover, remover.stdout).toMatchObject({ code: 0, stderr: '' });
          expect(collector, collector.stdout).toMatchObject({ code: 0, stderr: '' });
          expect(await custom.result).toEqual({ code: 0, stdout: 'received 2\ncomplete\n', stderr: '' });
          expect(await tags()).toEqual([...KEPT, library('other:1')].sort());
          expect(keptReasons(remover)).toMatchObject({ [library('other:1')]: 'compliant', [SHOP]: 'in-use' });
        });

        test('images that it was not offered stay, whatever it says', async () => {
          await importMixed();
          const ids = new Map((await listImages(containerd)).flatMap(({ id, repoTags }) => repoTags.map((tag) => [tag, id] as const)));
          const running = await startPod(configWith('custom'), 'custom', EXCLUSIONS);
          const strange = [SHOP, library('excluded:1'), PAUSE, library('unused:1')].map((tag) => ids.get(tag) ?? '');
          await running.collector.seen('images offered to the scanner');
          await importNamed(library('newcomer:1'));
          const newcomer = (await listImages(containerd)).find(({ repoTags }) => repoTags.includes(library('newcomer:1')))?.id ?? '';
          startScanner({ REJECT_IDS: [...strange, newcomer, `sha256:${'0'.repeat(64)}`].join(' ') });
          const { remover } = await running.ends();
          expect(remover.code, remover.stdout).toBe(0);
          expect(await tags()).toEqual([...KEPT, library('newcomer:1'), library('other:1')].sort());
          expect(parseLog(remover)).toContainEqual(
            expect.objectContaining({ level: 'warn', message: 'verdicts on images that were not offered are ignored' }),
          );
        });

        test('one that rejects nothing says so with null, and nothing goes', async () => {
          await importMixed();
          const before = await listImageIds(containerd);
          const running = await startPod(configWith('custom'), 'custom', EXCLUSIONS);
          const custom = startScanner({});
          const { collector, remover } = await running.ends();
          expect([collector.code, remover.code, (await custom.result).code]).toEqual([0, 0, 0]);
          expect(await listImageIds(containerd)).toEqual(before);
        });

        test.each([
          ['killed in the middle of its list', 'killed'],
          ['whose list lacks its end', 'cut-off'],
          ['that writes what is no list', 'garbage'],
        ])('one %s removes nothing, and the others need not wait for it', async (_what, fault) => {
          await importMixed();
          const before = await listImageIds(containerd);
          const running = await startPod(configWith('custom'), 'custom', EXCLUSIONS);
          const custom = startScanner({ REJECT: `${library('unused:1')},${library('other:1')}`, FAULT: fault });
          const collector = await running.collector.result;
          expect(collector.code, collector.stdout).toBe(0);
          await custom.result;
          await running.remover.seen('run ended');
          // It would wait for a scanner that is no more.
          if (fault === 'killed') running.remover.child.kill('SIGTERM');
          const remover = await running.remover.result;
          expect(remover.code, remover.stdout).toBe(3);
          expect(await pod.terminationLog('remover')).toMatchObject({
            state: 'refused',
            message: expect.stringContaining('scanErase') as unknown,
          });
          expect(await listImageIds(containerd)).toEqual(before);
        });

        test('without a scanner all wait; stopped, they say so and remove nothing', async () => {
          await importMixed();
          const before = await listImageIds(containerd);
          const { collector, remover } = await startPod(configWith('custom'), 'custom', EXCLUSIONS);
          await collector.seen('images offered to the scanner');
          await remover.seen('waiting for the verdicts');
          for (const { child } of [collector, remover]) child.kill('SIGTERM');
          expect([(await collector.result).code, (await remover.result).code]).toEqual([143, 143]);
          expect(await pod.terminationLog('remover')).toMatchObject({ state: 'interrupted' });
          expect(await listImageIds(containerd)).toEqual(before);
        });
      });
    });
  });
}

/** A configuration as the operator writes it. `cacheDir`: where our scanner's database is. */
function configWith(scanner: 'off' | 'trivy' | 'custom', cacheDir = '/var/lib/trivy'): string {
  const components = {
    collector: { enabled: true },
    scanner: {
      enabled: scanner !== 'off',
      ...(scanner === 'custom' ? { image: { repo: 'ghcr.io/acme/scanner', tag: 'v1' } } : {}),
      // YAML in a text, and JSON is YAML.
      ...(scanner === 'trivy' ? { config: JSON.stringify({ cacheDir, vulnerabilities: { severities: ['CRITICAL', 'HIGH'] } }) } : {}),
    },
  };
  return JSON.stringify({ apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', components });
}
