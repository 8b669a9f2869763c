import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { cachedDirectory } from '../../lab/cache-directory.ts';
import type { PrivateContainerd } from '../../lab/containerd.ts';
import { startContainerd } from '../../lab/containerd.ts';
import { createdContainer, runningContainer, stopContainer, stoppedContainer } from '../../lab/containers.ts';
import type { Image } from '../../lab/images.ts';
import {
  addRepoDigest,
  buildImage,
  buildLayer,
  deleteLayerContent,
  importImages,
  listImageIds,
  listImages,
  pinImage,
  removeName,
  tagImage,
  writeImageArchive,
} from '../../lab/images.ts';
import { lacksRealPart } from '../../lab/real-parts.ts';
import { busyboxLayer, pauseImage } from '../../lab/sample-images.ts';
import { CONTAINERD_VERSIONS } from '../../lab/tools.ts';
import { ContainerState } from '../../src/cri/gen/cri_pb.js';

/** Everything on the machine that mentions the name: processes by command line or control group, mounts, control groups, directories. */
function tracesOf(name: string): string[] {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  // A zombie has ended; when its parent did too, it waits for the machine's process 1 alone.
  const runs = (pid: string): boolean => !/^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`));
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid && runs(entry));
  const groups = execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-name', name], { encoding: 'utf8' });
  return [
    ...pids.filter((pid) => read(`/proc/${pid}/cmdline`).includes(name)).map((pid) => `process ${pid}`),
    ...pids.filter((pid) => read(`/proc/${pid}/cgroup`).includes(name)).map((pid) => `contained process ${pid}`),
    ...read('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => line.includes(name))
      .map((line) => `mount ${line}`),
    ...groups.split('\n').filter(Boolean),
    ...['/run', '/var/tmp'].filter((parent) => readdirSync(parent).includes(name)),
  ];
}

/** The sockets of the runtime's shims, which lie outside of its own directories. */
function shimSockets(containerd: PrivateContainerd): string[] {
  const tasks = join(containerd.place.state, 'containerd/io.containerd.runtime.v2.task');
  const files = readdirSync(tasks, { recursive: true, encoding: 'utf8' }).filter((file) =>
    /^[^/]+\/[^/]+\/(address|bootstrap.json)$/.test(file),
  );
  return files.flatMap((file) =>
    [...readFileSync(join(tasks, file), 'utf8').matchAll(/unix:\/\/([^"\s]+)/g)].map((match) => match[1] ?? ''),
  );
}

const image = (ref: string, content: string): Image => buildImage({ refs: [ref], layers: [{ files: { 'app/content': content } }] });

describe('the cache', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'image-cleaner-test-'));
    vi.stubEnv('IMAGE_CLEANER_CACHE', directory);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true });
  });

  it('is filled once for all who want the same at the same time', async () => {
    const fill = vi.fn((making: string) => writeFile(join(making, 'tool'), ''));
    const paths = await Promise.all(Array.from({ length: 3 }, () => cachedDirectory('tool-1', fill)));
    expect(new Set(paths)).toEqual(new Set([join(directory, 'tool-1')]));
    expect(fill).toHaveBeenCalledOnce();
  });

  it('keeps nothing of what failed or was broken off', async () => {
    mkdirSync(join(directory, 'tool-1.making-abcdef'));
    await expect(cachedDirectory('tool-1', () => Promise.reject(new Error('offline')))).rejects.toThrow('offline');
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('image archives', () => {
  it('are equal, digest by digest, for equal specifications', () => {
    const files = { 'b/x': 'x', 'a/y': 'y' };
    const one = buildImage({ refs: ['docker.io/library/a:1'], layers: [{ files }] });
    const other = buildImage({
      refs: ['docker.io/library/a:1'],
      layers: [buildLayer({ files: Object.fromEntries(Object.entries(files).reverse()) })],
    });
    expect(other).toEqual(one);
    const gzipped = buildLayer({ files, gzip: true });
    expect(gzipped.diffId).toBe(one.layers[0]?.diffId);
    expect(gzipped.digest).not.toBe(one.layers[0]?.digest);
  });

  it('hold paths of any length, as tar itself reads them', () => {
    const long = `app/${'d/'.repeat(60)}${'n'.repeat(150)}`;
    const layer = buildLayer({ files: { [long]: 'long', 'bin/run': { content: 'run', mode: 0o755 } } });
    const listing = execFileSync('tar', ['--list', '--verbose', '--file=-'], { input: layer.blob, encoding: 'utf8' });
    expect(listing).toContain(long);
    expect(listing).toMatch(/^-rwxr-xr-x root\/root\s+3 1970-01-01 .* bin\/run$/m);
  });

  it('refuse a name that is not in full', () => {
    expect(() => image('web:1', '')).toThrow('not a name in full');
  });

  it.each(['oci', 'docker'] as const)('are written in the %s format with a shared layer once', async (format) => {
    const directory = mkdtempSync(join(tmpdir(), 'image-cleaner-test-'));
    try {
      const shared = buildLayer({ files: { shared: 'bytes' } });
      const images = ['a', 'b'].map((name) =>
        buildImage({ refs: [`docker.io/library/${name}:1`], layers: [shared, { files: { own: name } }] }),
      );
      await writeImageArchive(join(directory, 'archive.tar'), images, format);
      const names = execFileSync('tar', ['--list', `--file=${join(directory, 'archive.tar')}`], { encoding: 'utf8' });
      expect(names.split(shared.digest.slice('sha256:'.length))).toHaveLength(2);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

for (const version of CONTAINERD_VERSIONS) {
  describe.skipIf(lacksRealPart(`containerd-${version}`))(`a private containerd (${version})`, () => {
    let containerd: PrivateContainerd;
    beforeAll(async () => {
      containerd = await startContainerd({ version });
    });
    afterAll(async () => {
      await containerd.stop();
    });

    it('answers as the release that it is', async () => {
      expect((await containerd.cri.runtime.version({})).runtimeVersion).toContain(containerd.release);
      expect(containerd.release).toMatch(version === 'v2' ? /^2\.2\.3$/ : /^\d+\.\d+\.\d+$/);
    });

    it.each(['oci', 'docker'] as const)('imports a %s archive of many images, and lists them when that returns', async (format) => {
      const base = await busyboxLayer();
      const images = Array.from({ length: 12 }, (_, number) =>
        buildImage({
          refs: [`docker.io/library/${format}${number}:1`, `ghcr.io/acme/${format}${number}:2`],
          layers: [base, { files: { 'app/content': `${format} ${number}` }, gzip: number % 2 === 0 }],
        }),
      );
      await importImages(containerd, images, { format });
      expect(await listImageIds(containerd)).toEqual(expect.arrayContaining(images.map(({ id }) => id)));
    });

    it('renames, pins and damages images', async () => {
      const subject = image('docker.io/library/subject:1', 'subject');
      const listed = async () => (await listImages(containerd)).find(({ id }) => id === subject.id);
      await importImages(containerd, [subject]);
      await tagImage(containerd, 'docker.io/library/subject:1', 'ghcr.io/acme/subject:2');
      const digest = await addRepoDigest(containerd, subject, 'ghcr.io/acme/subject');
      expect(await listed()).toMatchObject({ repoTags: ['docker.io/library/subject:1', 'ghcr.io/acme/subject:2'], repoDigests: [digest] });
      const canPin = await pinImage(containerd, 'ghcr.io/acme/subject:2');
      expect((await listed())?.pinned).toBe(canPin);
      await deleteLayerContent(containerd, subject.layers[0]?.digest ?? '');
      expect(await containerd.ctr(['content', 'ls', '--quiet'])).not.toContain(subject.layers[0]?.digest);
      for (const name of ['docker.io/library/subject:1', 'ghcr.io/acme/subject:2', digest]) await removeName(containerd, name);
      expect(await listed()).toMatchObject({ repoTags: [], repoDigests: [] });
    });

    it('runs containers, which outlive its restart and its crash', async () => {
      await importImages(containerd, [
        buildImage({ refs: ['docker.io/library/app:1'], layers: [await busyboxLayer()], config: { labels: { app: 'app' } } }),
        await pauseImage(),
      ]);
      const options = { image: 'docker.io/library/app:1' };
      const { containerId: running } = await runningContainer(containerd, options);
      const { containerId: stopped } = await stoppedContainer(containerd, options);
      const { containerId: created } = await createdContainer(containerd, options);
      const states = async () => {
        const { containers } = await containerd.cri.runtime.listContainers({});
        return Object.fromEntries(containers.map(({ id, state }) => [id, state]));
      };
      const expected = {
        [running]: ContainerState.CONTAINER_RUNNING,
        [stopped]: ContainerState.CONTAINER_EXITED,
        [created]: ContainerState.CONTAINER_CREATED,
      };
      expect(await states()).toEqual(expected);
      await containerd.restart();
      expect(await states()).toEqual(expected);
      await containerd.kill();
      await expect(states()).rejects.toThrow();
      await containerd.restart();
      expect(await states()).toEqual(expected);
      const seconds = Date.now();
      await stopContainer(containerd, running);
      expect(Date.now() - seconds).toBeLessThan(1_500); // by its own signal handler, not by force
    });

    it('does not answer while it is paused', async () => {
      containerd.pause();
      await expect(containerd.cri.images.listImages({}, { timeoutMs: 200 })).rejects.toThrow('timed out');
      containerd.resume();
      expect(await listImageIds(containerd)).not.toHaveLength(0);
    });

    it('leaves nothing behind when it is stopped, even from a pause', async () => {
      await runningContainer(containerd, { image: 'docker.io/library/app:1' });
      const { name } = containerd.place;
      // The daemon, two sandboxes' shims and processes, the mounts of each, two directories.
      expect(tracesOf(name).length).toBeGreaterThan(8);
      const sockets = shimSockets(containerd);
      expect(sockets.length).toBeGreaterThan(0);
      containerd.pause();
      await containerd.stop();
      expect(tracesOf(name)).toEqual([]);
      expect(sockets.filter((socket) => tracesOfFile(socket))).toEqual([]);
      await containerd.stop(); // once more does no harm
    });

    it.each(['SIGTERM', 'SIGINT'] as const)('is removed when %s ends its owner', async (signal) => {
      const owner = await startOwner(version);
      expect(tracesOf(owner.name)).not.toEqual([]);
      owner.process.kill(signal);
      expect(await owner.exited).toEqual([null, signal]);
      expect(tracesOf(owner.name)).toEqual([]);
    });

    it('is removed by the next start when its owner was killed', async () => {
      const owner = await startOwner(version);
      owner.process.kill('SIGKILL');
      await owner.exited;
      expect(tracesOf(owner.name)).not.toEqual([]);
      await using next = await startContainerd({ version });
      expect(tracesOf(next.place.name)).not.toEqual([]);
      expect(tracesOf(owner.name)).toEqual([]);
    });
  });
}

function tracesOfFile(path: string): boolean {
  try {
    return readFileSync('/proc/net/unix', 'utf8').includes(path) || readdirSync(join(path, '..')).includes(path.split('/').at(-1) ?? '');
  } catch {
    return false;
  }
}

interface Owner {
  readonly process: ReturnType<typeof spawn>;
  readonly name: string;
  readonly exited: Promise<unknown[]>;
}

/** Another process that runs a private containerd with a container in it. */
async function startOwner(version: string): Promise<Owner> {
  const lab = join(import.meta.dirname, '../../lab');
  const script = `
    import { startContainerd } from '${lab}/containerd.ts';
    import { runningContainer } from '${lab}/containers.ts';
    const containerd = await startContainerd({ version: '${version}' });
    await runningContainer(containerd, { image: 'registry.k8s.io/pause:3.10' });
    process.stdout.write(containerd.place.name + '\\n');
    setInterval(() => undefined, 1000);
  `;
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(owner, 'exit');
  const [name] = (await once(owner.stdout, 'data')) as [Buffer];
  return { process: owner, name: name.toString().trim(), exited };
}
