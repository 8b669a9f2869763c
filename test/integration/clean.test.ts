import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../lab/containerd.ts';
import { createdContainer, removeSandbox, runningContainer, stoppedContainer, type ContainerInPod } from '../../lab/containers.ts';
import { DEMO_EXCLUSION, demoDatabase, demoImages } from '../../lab/demo-images.ts';
import { digestOf } from '../../lab/build-image.ts';
import {
  addRepoDigest,
  buildImage,
  deleteLayerContent,
  importImages,
  listImageIds,
  listImages,
  removeImages,
  pinImage,
  removeName,
  tagImage,
  type Image,
} from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { alpineFiles } from '../../lab/sample-packages.ts';
import { CONTAINERD_VERSIONS, ensureTrivy } from '../../lab/tools.ts';
import { writeTrivyDatabase } from '../../lab/trivy-database.ts';
import { parseClean, reasonsByTag, runCli, startCli, type CliResult, type RunningCli } from './run-cli.ts';

/** `clean` as users run it, on a real containerd with real Trivy; what went is read from the runtime's own list. */

const image = (ref: string, content = ref): Image => buildImage({ refs: [ref], layers: [{ files: { 'app/content': content } }] });

async function idsByTag(containerd: PrivateContainerd): Promise<Map<string, string>> {
  return new Map((await listImages(containerd)).flatMap(({ id, repoTags }) => repoTags.map((tag) => [tag, id] as const)));
}

async function tagsOf(containerd: PrivateContainerd): Promise<string[]> {
  return [...(await idsByTag(containerd)).keys()].sort();
}

for (const version of CONTAINERD_VERSIONS) {
  describe.skipIf(lacksRealPart(`containerd-${version}`))(`clean on containerd ${version}`, () => {
    let containerd: PrivateContainerd;
    let cacheDir: string;
    const containers: ContainerInPod[] = [];
    const clean = (...args: string[]): Promise<CliResult> =>
      runCli(['clean', '--runtime-endpoint', containerd.endpoint, '-o', 'json', ...args]);

    beforeAll(async () => {
      containerd = await startContainerd({ version });
      cacheDir = await mkdtemp(join(tmpdir(), 'image-cleaner-test-'));
      await writeTrivyDatabase(cacheDir, demoDatabase());
    });
    afterEach(async () => {
      for (const { sandbox } of containers.splice(0)) await removeSandbox(containerd, sandbox);
      await removeImages(containerd);
    });
    afterAll(async () => {
      await containerd.stop();
      await rm(cacheDir, { recursive: true });
    });

    test('with the scanner off, every unused image goes; in use, pause and excluded ones stay', async () => {
      const names = ['created', 'unused', 'excluded'].map((name) => `docker.io/library/${name}:1`);
      const demo = await demoImages();
      await importImages(containerd, [...names.map((name) => image(name)), demo.running, demo.stopped]);
      containers.push(await runningContainer(containerd, { image: 'docker.io/library/shop:2.1' }));
      containers.push(await createdContainer(containerd, { image: 'docker.io/library/created:1', command: ['/nothing'] }));
      containers.push(await stoppedContainer(containerd, { image: 'docker.io/library/migrate:7' }));
      const result = await clean('--scanner', 'none', '--exclude', 'excluded', '--yes');
      expect(result.code).toBe(0);
      expect(reasonsByTag(parseClean(result))).toEqual({
        'docker.io/library/created:1': 'keep in-use',
        'docker.io/library/excluded:1': 'keep excluded',
        'docker.io/library/migrate:7': 'keep in-use',
        'docker.io/library/shop:2.1': 'keep in-use',
        'docker.io/library/unused:1': 'remove unused',
        'registry.k8s.io/pause:3.10': 'keep pinned',
      });
      expect(await tagsOf(containerd)).toEqual([
        'docker.io/library/created:1',
        'docker.io/library/excluded:1',
        'docker.io/library/migrate:7',
        'docker.io/library/shop:2.1',
        'registry.k8s.io/pause:3.10',
      ]);
    });

    test('the pause image stays although no sandbox runs and the manual list names it', async () => {
      containers.push(await createdContainer(containerd, { image: await importedShop(containerd), command: ['/nothing'] }));
      await removeSandbox(containerd, (containers.pop() as ContainerInPod).sandbox);
      const result = await clean('--image', 'registry.k8s.io/pause:3.10', '--image', '*', '--yes');
      expect(result.code).toBe(0);
      expect(await tagsOf(containerd)).toEqual(['registry.k8s.io/pause:3.10']);
    });

    test('the exclusions of a file hold, beside those of the command line', async () => {
      const file = join(cacheDir, 'exclusions.json');
      await writeFile(file, JSON.stringify({ excluded: ['ghcr.io/acme/*', 'docker.io/library/pair:1'] }));
      const names = ['ghcr.io/acme/app:1', 'docker.io/library/pair:1', 'docker.io/library/pair:2', 'docker.io/library/flag:1'];
      await importImages(
        containerd,
        names.map((name) => image(name)),
      );
      const result = await clean('--image', '*', '--exclude-file', file, '--exclude', 'flag', '--exclude', 'nothing-here', '--yes');
      expect(result.code).toBe(0);
      expect(await tagsOf(containerd)).toEqual(['docker.io/library/flag:1', 'docker.io/library/pair:1', 'ghcr.io/acme/app:1']);
      const { decisions, warnings } = parseClean(result);
      const app = decisions.find(({ repoTags }) => repoTags[0] === 'ghcr.io/acme/app:1');
      expect(app?.reason).toMatchObject({ list: file, entry: 'ghcr.io/acme/*' });
      expect(warnings).toEqual(['--exclude nothing-here: no image on this node']);
    });

    // containerd 1.6 knows neither pinned images nor image volumes.
    if (version === 'v2') {
      test('an image that the runtime has pinned stays', async () => {
        await importImages(containerd, [image('docker.io/library/pinned:1'), image('docker.io/library/other:1')]);
        expect(await pinImage(containerd, 'docker.io/library/pinned:1')).toBe(true);
        expect((await clean('--image', '*', '--yes')).code).toBe(0);
        expect(await tagsOf(containerd)).toEqual(['docker.io/library/pinned:1']);
      });

      test('an image that a container mounts as a volume stays', async () => {
        const shop = await importedShop(containerd);
        await importImages(containerd, [image('docker.io/library/data:1'), image('docker.io/library/other:1')]);
        containers.push(await createdContainer(containerd, { image: shop, imageVolumes: { '/data': 'docker.io/library/data:1' } }));
        expect((await clean('--image', '*', '--yes')).code).toBe(0);
        expect(await tagsOf(containerd)).toEqual(['docker.io/library/data:1', 'docker.io/library/shop:2.1', 'registry.k8s.io/pause:3.10']);
      });
    }

    test('a manual list takes tag, digest, id and normal form, one of two tags, and removes nothing else', async () => {
      const [byTag, byDigest, byId, twoTags, normal, other] = ['tag', 'digest', 'id', 'two', 'normal', 'other'].map((name) =>
        image(`docker.io/library/${name}:1`),
      ) as [Image, Image, Image, Image, Image, Image];
      await importImages(containerd, [byTag, byDigest, byId, twoTags, normal, other]);
      await tagImage(containerd, 'docker.io/library/two:1', 'ghcr.io/acme/second:1');
      const digestName = await addRepoDigest(containerd, byDigest, 'docker.io/library/digest');
      const entries = [
        'docker.io/library/tag:1',
        digestName,
        byId.id.slice(7),
        'ghcr.io/acme/second:1',
        'normal:1',
        'docker.io/library/absent:1',
      ];
      const result = await clean(...entries.flatMap((entry) => ['--image', entry]), '--yes');
      expect(result.code).toBe(0);
      expect(parseClean(result).warnings).toEqual([expect.stringContaining('docker.io/library/absent:1') as unknown]);
      expect(await tagsOf(containerd)).toEqual(['docker.io/library/other:1']);
    });

    test('an image that a container made beside CRI uses stays', async () => {
      await importImages(containerd, [image('docker.io/library/by-hand:1'), image('docker.io/library/other:1')]);
      await containerd.ctr(['containers', 'create', 'docker.io/library/by-hand:1', 'by-hand']);
      try {
        expect((await clean('--image', '*', '--yes')).code).toBe(0);
        expect(await tagsOf(containerd)).toEqual(['docker.io/library/by-hand:1']);
      } finally {
        await containerd.ctr(['containers', 'rm', 'by-hand']);
      }
    });

    test('an image without any name goes by its id', async () => {
      const nameless = image('docker.io/library/moved:1', 'old');
      await importImages(containerd, [nameless, image('docker.io/library/stays:1')]);
      await removeName(containerd, 'docker.io/library/moved:1');
      expect(await listImageIds(containerd)).toContain(nameless.id);
      expect((await clean('--image', nameless.id, '--yes')).code).toBe(0);
      expect(await tagsOf(containerd)).toEqual(['docker.io/library/stays:1']);
      expect(await listImageIds(containerd)).not.toContain(nameless.id);
    });

    test('an exclusion holds whichever name of the image is listed', async () => {
      const excluded = image('ghcr.io/acme/app:1');
      await importImages(containerd, [excluded]);
      await tagImage(containerd, 'ghcr.io/acme/app:1', 'docker.io/library/alias:1');
      expect((await clean('--image', 'alias:1', '--exclude', 'ghcr.io/acme/*', '--yes')).code).toBe(0);
      expect(await listImageIds(containerd)).toEqual([excluded.id]);
    });

    describe.skipIf(lacksRealPart('trivy'))('with Trivy', () => {
      let scanning: string[];
      beforeAll(async () => {
        const trivy = await ensureTrivy();
        if (trivy.kind === 'missing') throw new Error(trivy.reason);
        scanning = ['--trivy', trivy.path, '--trivy-cache-dir', cacheDir, '--skip-db-update'];
      });

      test('--dry-run gives one decision per image with reason, CVE ids and bytes; --yes then removes exactly those', async () => {
        const { all, secondTag } = await demoImages();
        await importImages(containerd, all);
        await tagImage(containerd, secondTag.of, secondTag.tag);
        containers.push(await runningContainer(containerd, { image: 'docker.io/library/shop:2.1' }));
        containers.push(await stoppedContainer(containerd, { image: 'docker.io/library/migrate:7' }));
        const before = await listImageIds(containerd);

        const dryRun = await clean(...scanning, '--exclude', DEMO_EXCLUSION, '--dry-run');
        const plan = parseClean(dryRun);
        expect(dryRun.code).toBe(0);
        expect(plan.decisions.map(({ imageId }) => imageId).sort()).toEqual(before);
        expect(await listImageIds(containerd)).toEqual(before);
        expect(reasonsByTag(plan)).toEqual({
          'docker.io/library/blog:5': 'remove vulnerable',
          'docker.io/library/cache:4': 'remove vulnerable',
          'docker.io/library/chat:2': 'keep compliant',
          'docker.io/library/legacy:1': 'remove end-of-life',
          'docker.io/library/migrate:7': 'keep in-use',
          'docker.io/library/proxy:9': 'keep compliant',
          'docker.io/library/reports:3': 'remove vulnerable',
          'docker.io/library/shop:2.1': 'keep in-use',
          'docker.io/library/web:1.0': 'remove vulnerable',
          'docker.io/library/web:1.1': 'keep compliant',
          'ghcr.io/acme/billing:1': 'keep excluded',
          'registry.k8s.io/pause:3.10': 'keep pinned',
        });
        const cves = Object.fromEntries(
          plan.decisions.filter((decision) => decision.cves.length > 0).map(({ repoTags, cves: ids }) => [repoTags[0] ?? '', ids] as const),
        );
        expect(cves).toEqual({
          'docker.io/library/blog:5': ['CVE-2026-30001'],
          'docker.io/library/cache:4': ['CVE-2026-10002'],
          'docker.io/library/reports:3': ['CVE-2026-20001'],
          'docker.io/library/web:1.0': ['CVE-2026-10001', 'CVE-2026-10002'],
        });
        const going = plan.decisions.filter(({ outcome }) => outcome === 'remove');
        expect(going.every(({ estimatedBytes }) => estimatedBytes > 0)).toBe(true);

        const done = await clean(...scanning, '--exclude', DEMO_EXCLUSION, '--yes');
        expect(done.code).toBe(0);
        const goingIds = going.map(({ imageId }) => imageId);
        expect(await listImageIds(containerd)).toEqual(before.filter((id) => !goingIds.includes(id)));
        expect(
          parseClean(done)
            .removals?.map(({ imageId, outcome }) => `${imageId} ${outcome}`)
            .sort(),
        ).toEqual(goingIds.map((id) => `${id} removed`).sort());
      });

      test('--severity, --ignore-unfixed and --ignorefile keep what they leave out', async () => {
        await importImages(containerd, (await demoImages()).all);
        const reasons = async (...args: string[]): Promise<string[]> => {
          const removed = parseClean(await clean(...scanning, '--dry-run', '--keep-end-of-life', ...args)).decisions.filter(
            ({ outcome }) => outcome === 'remove',
          );
          return removed.map(({ repoTags }) => repoTags[0] ?? '').sort();
        };
        expect(await reasons('--severity', 'critical,HIGH')).toEqual([
          'docker.io/library/reports:3',
          'docker.io/library/shop:2.1',
          'docker.io/library/web:1.0',
          'ghcr.io/acme/billing:1',
        ]);
        expect(await reasons('--severity', 'HIGH', '--ignore-status', 'fixed')).toEqual([]);
        const ignorefile = join(cacheDir, 'ignore.yaml');
        await writeFile(ignorefile, 'vulnerabilities:\n  - id: CVE-2026-20001\n    statement: not reachable\n    expired_at: 2999-01-01\n');
        expect(await reasons('--severity', 'HIGH', '--ignorefile', ignorefile)).toEqual([]);
        await writeFile(ignorefile, 'vulnerabilities:\n  - id: CVE-2026-20001\n    expired_at: 2020-01-01\n');
        expect(await reasons('--severity', 'HIGH', '--ignorefile', ignorefile)).toEqual(['docker.io/library/reports:3']);
      });

      test('an image whose layer content is missing stays as unscanned, the rest goes on', async () => {
        const broken = buildImage({
          refs: ['docker.io/library/broken:1'],
          layers: [{ files: alpineFiles('3.22.0', [{ name: 'openssl', version: '3.0.0-r0' }]) }],
        });
        const vulnerable = buildImage({
          refs: ['docker.io/library/vulnerable:1'],
          layers: [{ files: { ...alpineFiles('3.22.0', [{ name: 'openssl', version: '3.0.0-r0' }]), 'another/file': 'x' } }],
        });
        await importImages(containerd, [broken, vulnerable]);
        await deleteLayerContent(containerd, broken.layers[0]?.digest ?? '');
        const result = await clean(...scanning, '--yes');
        expect(result.code).toBe(0);
        expect(parseClean(result).decisions.find(({ repoTags }) => repoTags[0] === 'docker.io/library/broken:1')?.reason).toMatchObject({
          code: 'unscanned',
          why: 'content-missing',
        });
        expect(await tagsOf(containerd)).toEqual(['docker.io/library/broken:1']);
      });

      test('an image whose complete content does not parse is unscannable, and goes unless --keep-unscannable', async () => {
        const unreadable = await importUnreadable(containerd);
        const kept = await clean(...scanning, '--keep-unscannable', '--yes');
        expect(kept.code).toBe(0);
        expect(await listImageIds(containerd)).toContain(unreadable);
        const plan = parseClean(await clean(...scanning, '--dry-run'));
        expect(plan.decisions.find(({ imageId }) => imageId === unreadable)).toMatchObject({
          outcome: 'remove',
          reason: { code: 'unscannable' },
        });
      });

      test('a fault of the scanner removes nothing: missing, hanging, killed, garbage, no database', async () => {
        await importImages(containerd, [image('docker.io/library/one:1'), image('docker.io/library/two:1')]);
        const before = await listImageIds(containerd);
        const fake = async (name: string, script: string): Promise<string> => {
          const path = join(cacheDir, name);
          await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
          return path;
        };
        const [, real = ''] = scanning;
        const passing = (commands: string, then: string): string => `case "$1" in ${commands}) exec ${real} "$@" ;; esac\n${then}`;
        const faults: readonly (readonly [string, string, string])[] = [
          ['missing', '/nonexistent/trivy', cacheDir],
          ['garbage', await fake('garbage', 'echo garbage'), cacheDir],
          ['garbage as a report', await fake('garbage-report', passing('version|server', 'echo garbage')), cacheDir],
          ['a server that hangs', await fake('hanging-server', passing('version', 'exec sleep 600')), cacheDir],
          ['a server that ends', await fake('no-server', passing('version', 'exit 1')), cacheDir],
          ['hanging', await fake('hanging', 'exec sleep 600'), cacheDir],
          ['killed', await fake('killed', 'kill -9 $$'), cacheDir],
          ['no database', real, join(cacheDir, 'empty')],
        ];
        for (const [name, binary, database] of faults) {
          // Only what hangs is to take it all.
          const timeout = name.includes('hang') ? '2s' : '60s';
          const trivy = ['--trivy', binary, '--trivy-cache-dir', database, '--skip-db-update'];
          const result = await clean(...trivy, '--timeout-per-image', timeout, '--yes');
          expect(result, name).toMatchObject({ code: 3, stdout: '' });
          expect(result.stderr, name).toMatch(/error: .+\n(.+\n)*Nothing was removed\./);
          expect(await listImageIds(containerd), name).toEqual(before);
        }
      });

      test('a Trivy that hangs or is killed on an image leaves it unscanned, and it stays', async () => {
        await importImages(containerd, [image('docker.io/library/one:1'), image('docker.io/library/two:1')]);
        const before = await listImageIds(containerd);
        const [, real = ''] = scanning;
        for (const [then, why, timeout] of [
          ['exec sleep 600', 'timeout', '10s'],
          ['kill -9 $$', 'killed', '60s'],
        ] as const) {
          const binary = join(cacheDir, `on-image-${why}`);
          await writeFile(binary, `#!/bin/sh\ncase "$1" in version|server) exec ${real} "$@" ;; esac\n${then}\n`, { mode: 0o755 });
          const trivy = ['--trivy', binary, '--trivy-cache-dir', cacheDir, '--skip-db-update'];
          const result = await clean(...trivy, '--timeout-per-image', timeout, '--yes');
          expect(parseClean(result).decisions.map(({ reason }) => reason)).toEqual(
            before.map(() => expect.objectContaining({ code: 'unscanned', why }) as unknown),
          );
          expect(result.code).toBe(1);
          expect(await listImageIds(containerd)).toEqual(before);
        }
      });
    });

    test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
      'interrupted by %s, it finishes the removal in hand, stops and reports',
      async (interrupt) => {
        const running = await cleanMany(containerd);
        await running.seen('1/40 removed');
        running.child.kill(interrupt);
        const result = await running.result;
        expect(result.code).toBe(130);
        const { removals = [] } = parseClean(result);
        const removed = removals.filter(({ outcome }) => outcome === 'removed');
        expect(removed.length).toBeLessThan(40);
        expect(removals.filter(({ outcome }) => outcome === 'not-attempted')).toHaveLength(40 - removed.length);
        expect(await listImageIds(containerd)).toHaveLength(40 - removed.length);
      },
    );

    test('goes on when the runtime is restarted in the middle of the removals', async () => {
      const running = await cleanMany(containerd);
      await running.seen('5/40 removed');
      await containerd.restart();
      const result = await running.result;
      const { removals = [] } = parseClean(result);
      expect(removals.filter(({ outcome }) => outcome !== 'removed')).toEqual([]);
      expect(result.code).toBe(0);
      expect(await listImageIds(containerd)).toEqual([]);
    });
  });
}

/** Begins to remove forty images, one after the other. */
async function cleanMany(containerd: PrivateContainerd): Promise<RunningCli> {
  await importImages(
    containerd,
    Array.from({ length: 40 }, (_value, at) => image(`docker.io/library/many:${String(at)}`)),
  );
  return startCli(['clean', '--runtime-endpoint', containerd.endpoint, '-o', 'json', '--scanner', 'none', '--concurrency', '1', '--yes']);
}

async function importedShop(containerd: PrivateContainerd): Promise<string> {
  const { running } = await demoImages();
  await importImages(containerd, [running]);
  return 'docker.io/library/shop:2.1';
}

/** An image whose one layer is whole, as its digest says, and no archive; it cannot be unpacked, but listed. */
async function importUnreadable(containerd: PrivateContainerd): Promise<string> {
  const blob = Buffer.from('this is no tar archive '.repeat(100));
  const digest = digestOf(blob);
  const layer = { digest, diffId: digest, mediaType: 'application/vnd.oci.image.layer.v1.tar', blob };
  const unreadable = buildImage({ refs: ['docker.io/library/unreadable:1'], layers: [layer] });
  await importImages(containerd, [unreadable], { unpack: false });
  return unreadable.id;
}
