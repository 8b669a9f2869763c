import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PAUSE_REFERENCE } from '../../lab/containerd-config.ts';
import { type PrivateContainerd, startContainerd } from '../../lab/containerd.ts';
import {
  createdContainer,
  removeContainer,
  removeSandbox,
  runningContainer,
  runSandbox,
  startContainer,
  stoppedContainer,
} from '../../lab/containers.ts';
import { addRepoDigest, buildImage, buildLayer, deleteLayerContent, type Image, importImages, listImages } from '../../lab/images.ts';
import { busyboxLayer, pauseImage, RUN_UNTIL_STOPPED } from '../../lab/sample-images.ts';
import { connectToRuntime } from '../../src/cri/connect-to-runtime.ts';
import type { CriRuntime } from '../../src/cri/cri-runtime.ts';
import type { NodeRuntime } from '../../src/engine/ports.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;

describe.each(['debian', 'v2'] as const)('containerd (%s)', (version) => {
  let containerd: PrivateContainerd;
  let connected: CriRuntime;
  /** What the engine sees; that it fits is checked by the assignment. */
  let runtime: NodeRuntime;
  let web: Image;
  let api: Image;
  let model: Image;

  beforeAll(async () => {
    containerd = await startContainerd({ version });
    const base = await busyboxLayer();
    const own = (name: string, bytes: number) => buildLayer({ files: { [`data/${name}`]: Buffer.alloc(bytes, name) }, gzip: true });
    web = buildImage({ refs: ['docker.io/library/web:1', 'docker.io/library/web:latest'], layers: [base, own('web', 3 * MIB)] });
    api = buildImage({ refs: ['ghcr.io/acme/api:2'], layers: [base, own('api', MIB)] });
    model = buildImage({ refs: ['ghcr.io/acme/model:1'], layers: [own('model', MIB)] });
    connected = await connectToRuntime({ socketPath: containerd.socket }, signal);
    runtime = connected;
    await importImages(containerd, [web, api, model]);
  });

  afterEach(async () => {
    const { items } = await containerd.cri.runtime.listPodSandbox({});
    for (const { id } of items) {
      await containerd.cri.runtime.stopPodSandbox({ podSandboxId: id });
      await containerd.cri.runtime.removePodSandbox({ podSandboxId: id });
    }
  });

  afterAll(async () => {
    connected.close();
    await containerd.stop();
  });

  test('tells its version', async () => {
    expect(await runtime.version(signal)).toEqual({ name: 'containerd', version: expect.stringContaining(containerd.release) as string });
  });

  test('names the sandbox image: 1.x by its configuration, 2.x by its sandboxes and as pinned', async () => {
    expect(await runtime.sandboxImageReferences(signal)).toEqual(version === 'debian' ? [PAUSE_REFERENCE] : null);
    await runSandbox(containerd);
    expect(await runtime.sandboxImageReferences(signal)).toEqual([PAUSE_REFERENCE]);
    const pause = await runtime.imageStatus((await pauseImage()).id, signal);
    expect(pause).toMatchObject({ repoTags: [PAUSE_REFERENCE], pinned: version === 'v2' });
  });

  test('lists images with all their names', async () => {
    const digest = await addRepoDigest(containerd, web, 'docker.io/library/web');
    const images = await runtime.listImages(signal);
    expect(images.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(await listImages(containerd));
    const listed = images.find((image) => image.id === web.id);
    expect(listed?.repoTags.toSorted()).toEqual(web.refs);
    expect(listed?.repoDigests).toEqual([digest]);
    expect(await runtime.imageStatus(web.id, signal)).toEqual(listed);
    expect(await runtime.imageStatus(`sha256:${'0'.repeat(64)}`, signal)).toBeNull();
  });

  test('lists containers in every state, with pod and references', async () => {
    const pod = { namespace: 'shop', name: 'cart' };
    const running = await runningContainer(containerd, { image: web.id, userSpecifiedImage: 'web:1', name: 'web', pod });
    const exited = await stoppedContainer(containerd, { image: 'ghcr.io/acme/api:2', name: 'api' });
    const created = await createdContainer(containerd, {
      image: 'docker.io/library/web:latest',
      name: 'later',
      command: RUN_UNTIL_STOPPED,
    });
    const containers = await runtime.listContainers(signal);
    const byId = new Map(containers.map((container) => [container.id, container]));
    expect(containers).toHaveLength(3);
    expect(byId.get(running.containerId)).toEqual({
      id: running.containerId,
      name: 'web',
      state: 'running',
      podNamespace: 'shop',
      podName: 'cart',
      // containerd 1.6 knows nothing of the image that the user specified.
      imageReferences: version === 'v2' ? [web.id, 'web:1'] : [web.id],
      volumeImageReferences: [],
    });
    expect(byId.get(exited.containerId)).toMatchObject({ state: 'exited', imageReferences: ['ghcr.io/acme/api:2', api.id] });
    expect(byId.get(created.containerId)).toMatchObject({
      state: 'created',
      podName: created.sandbox.name,
      imageReferences: ['docker.io/library/web:latest', web.id],
    });
    await removeContainer(containerd, exited.containerId);
    await startContainer(containerd, created.containerId);
    const later = await runtime.listContainers(signal);
    expect(later.map(({ id, state }) => [id, state]).toSorted()).toEqual(
      [
        [running.containerId, 'running'],
        [created.containerId, 'running'],
      ].toSorted(),
    );
    await removeSandbox(containerd, running.sandbox);
    expect((await runtime.listContainers(signal)).map(({ id }) => id)).toEqual([created.containerId]);
  });

  // containerd 1.6 knows no image volumes.
  if (version === 'v2') {
    test('lists the images that containers mount as volumes', async () => {
      await runningContainer(containerd, { image: web.id, imageVolumes: { '/model': 'ghcr.io/acme/model:1' } });
      expect(await runtime.listContainers(signal)).toMatchObject([{ volumeImageReferences: ['ghcr.io/acme/model:1'] }]);
    });
  }

  test('lists containers made beside the CRI in the namespace of its images, once each', async () => {
    const { containerId } = await runningContainer(containerd, { image: web.id });
    const [webName = ''] = web.refs;
    const control = ['--cgroup', `/${containerd.place.name}/by-hand`];
    await containerd.ctr(['run', '--detach', ...control, webName, 'by-hand', ...RUN_UNTIL_STOPPED]);
    await containerd.ctr(['containers', 'create', 'ghcr.io/acme/api:2', 'never-run']);
    await containerd.ctr(['containers', 'create', '--label', 'io.cri-containerd.kind=other', 'ghcr.io/acme/api:2', 'labelled']);
    try {
      const [own, ...others] = await runtime.listContainers(signal);
      expect(own).toMatchObject({ id: containerId, state: 'running' });
      const other = { state: 'unknown', podNamespace: '', podName: '', volumeImageReferences: [] };
      expect(others.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
        { ...other, id: 'by-hand', name: 'by-hand', imageReferences: [webName] },
        { ...other, id: 'labelled', name: 'labelled', imageReferences: ['ghcr.io/acme/api:2'] },
        { ...other, id: 'never-run', name: 'never-run', imageReferences: ['ghcr.io/acme/api:2'] },
      ]);
    } finally {
      await containerd.ctr(['tasks', 'delete', '--force', 'by-hand']);
      await containerd.ctr(['containers', 'delete', 'by-hand', 'never-run', 'labelled']);
    }
    expect((await runtime.listContainers(signal)).map(({ id }) => id)).toEqual([containerId]);
  });

  test('tells what images occupy, and share', async () => {
    const storage = await runtime.imageStorage([web.id, api.id, `sha256:${'0'.repeat(64)}`], signal);
    expect([...storage.keys()]).toEqual([web.id, api.id]);
    const units = (image: Image) => new Map(storage.get(image.id)?.map(({ key, bytes }) => [key, bytes]));
    const [base, own] = web.layers;
    const shared = [...units(web)].filter(([key]) => units(api).has(key));
    expect(shared.map(([key]) => key).toSorted()).toEqual([`blob:${base?.digest ?? ''}`, `snapshot:${base?.diffId ?? ''}`]);
    expect(units(web).get(`blob:${own?.digest ?? ''}`)).toBe(own?.blob.length);
    expect(units(web).get(`blob:${web.manifestDigest}`)).toBe(web.manifest.length);
    expect(units(web).get(`blob:${web.id}`)).toBe(web.config.length);
    // Unpacked: the 3 MiB file, which hardly takes a thing as it is compressed, and some directories.
    const [unpacked = 0] = [...units(web)].flatMap(([key, bytes]) => (key.startsWith('snapshot:') && !units(api).has(key) ? [bytes] : []));
    expect(unpacked).toBeGreaterThanOrEqual(3 * MIB);
    expect(unpacked).toBeLessThan(3.1 * MIB);
  });

  test('tells whether the content of an image is complete', async () => {
    expect(await runtime.isContentComplete(web.id, signal)).toBe(true);
    expect(await runtime.isContentComplete(api.id, signal)).toBe(true);
    await deleteLayerContent(containerd, api.layers[1]?.digest ?? '');
    expect(await runtime.isContentComplete(web.id, signal)).toBe(true);
    expect(await runtime.isContentComplete(api.id, signal)).toBe(false);
    expect(await runtime.isContentComplete(`sha256:${'0'.repeat(64)}`, signal)).toBe(false);
    const storage = await runtime.imageStorage([api.id], signal);
    expect(storage.get(api.id)?.map(({ key }) => key)).not.toContain(`blob:${api.layers[1]?.digest ?? ''}`);
  });

  test('tells how full the filesystem of the images is', async () => {
    const usage = await runtime.imageFilesystem(signal);
    const actual = await statfs(containerd.place.root);
    expect(usage?.mountpoint).toContain(containerd.place.root);
    expect(usage?.capacityBytes).toBe(actual.blocks * actual.bsize);
    expect(Math.abs((usage?.availableBytes ?? 0) - actual.bavail * actual.bsize)).toBeLessThan(256 * MIB);
  });

  test('removes an image with all its names, even one in use or absent', async () => {
    await runningContainer(containerd, { image: web.id });
    await runtime.removeImage(web.id, signal);
    expect(await runtime.imageStatus(web.id, signal)).toBeNull();
    expect((await runtime.listContainers(signal)).flatMap(({ imageReferences }) => imageReferences)).toContain(web.id);
    await runtime.removeImage(web.id, signal);
    expect(await runtime.isContentComplete(web.id, signal)).toBe(false);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('goes on after a restart by %s', async (how) => {
    const { containerId } = await runningContainer(containerd, { image: PAUSE_REFERENCE });
    const restart = { isOver: false };
    const restarted = containerd.restart(how).finally(() => {
      restart.isOver = true;
    });
    const seen = new Set<string>();
    let rounds = 0;
    for (; !restart.isOver || rounds < 5; rounds++) {
      seen.add((await runtime.listContainers(signal)).map(({ id }) => id).join());
      await sleep(5);
    }
    await restarted;
    // Never an empty list while it starts: what nothing uses may be removed.
    expect([...seen]).toEqual([containerId]);
  });

  test('a runtime that hangs runs into the deadline', async () => {
    const impatient = await connectToRuntime({ socketPath: containerd.socket, deadlineMs: 500 }, signal);
    containerd.pause();
    try {
      await expect(impatient.listImages(signal)).rejects.toMatchObject({ code: 'deadline-exceeded', action: 'retry' });
      containerd.resume();
      expect(await impatient.listImages(signal)).not.toEqual([]);
    } finally {
      containerd.resume();
      impatient.close();
    }
  });

  test('a runtime that has ended: a removal is not repeated, a first contact says so', async () => {
    await containerd.kill();
    await expect(runtime.removeImage(api.id, signal)).rejects.toMatchObject({ code: 'unavailable', action: 'retry' });
    await expect(connectToRuntime({ socketPath: containerd.socket }, signal)).rejects.toMatchObject({ code: 'unavailable' });
    await containerd.restart();
    expect(await runtime.imageStatus(api.id, signal)).toMatchObject({ id: api.id });
  });
});
