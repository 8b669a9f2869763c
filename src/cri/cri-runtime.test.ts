import os from 'node:os';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import type { NodeRuntime } from '../engine/ports.ts';
import { connectInTest } from '../../test/fakes/connect-in-test.ts';
import { Containers } from './gen/containerd_containers_pb.js';
import { Content } from './gen/containerd_content_pb.js';
import { Snapshots } from './gen/containerd_snapshots_pb.js';
import { ContainerState } from './gen/cri_pb.js';
import {
  CONTAINERD,
  CRI_O,
  startTestRuntime,
  type TestRuntimeServer,
  type TestRuntimeVersion,
} from '../../test/fakes/test-runtime-server.ts';

const signal = AbortSignal.timeout(30_000);

async function withRuntime(server: TestRuntimeServer, use: (runtime: NodeRuntime) => Promise<void>): Promise<void> {
  try {
    using runtime = await connectInTest({ socketPath: server.socketPath, retryBudgetMs: 0 }, signal);
    await use(runtime);
  } finally {
    await server[Symbol.asyncDispose]();
  }
}

const notFound = (): never => {
  throw new ConnectError('not found', Code.NotFound);
};

describe('images', () => {
  test('of containerd', async () => {
    const image = {
      id: 'sha256:1',
      repoTags: ['docker.io/library/alpine:3.22'],
      repoDigests: ['docker.io/library/alpine@sha256:2'],
      size: 5_000_000_000n,
      pinned: true,
    };
    const server = await startTestRuntime(CONTAINERD, {
      images: { listImages: () => ({ images: [image] }), imageStatus: ({ image: spec }) => (spec?.image === image.id ? { image } : {}) },
    });
    await withRuntime(server, async (runtime) => {
      expect(await runtime.listImages(signal)).toEqual([
        { id: 'sha256:1', repoTags: image.repoTags, repoDigests: image.repoDigests, sizeBytes: 5_000_000_000, pinned: true },
      ]);
      expect(await runtime.imageStatus('sha256:1', signal)).toMatchObject({ id: 'sha256:1' });
      expect(await runtime.imageStatus('sha256:9', signal)).toBeNull();
    });
  });

  test('of cri-dockerd, which fills in <none>', async () => {
    const repoDigests = ['alpine@<none>', 'alpine@sha256:2', '<none>@sha256:3', '<none>@<none>'];
    const images = [{ id: 'sha256:1', repoTags: ['<none>:<none>', 'alpine:<none>', ''], repoDigests }];
    const server = await startTestRuntime(CONTAINERD, { images: { listImages: () => ({ images }) } });
    await withRuntime(server, async (runtime) => {
      expect(await runtime.listImages(signal)).toMatchObject([{ repoTags: [], repoDigests: ['alpine@sha256:2', '<none>@sha256:3'] }]);
    });
  });
});

/** An enum of proto3 is open: a later version of the interface may send any number. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- as said
const STATE_OF_LATER_CRI: ContainerState = Number('9');

describe('listContainers', () => {
  const listed = {
    id: 'c1',
    podSandboxId: 's1',
    metadata: { name: 'app' },
    image: { image: 'docker.io/library/app:1', userSpecifiedImage: 'app:1' },
    imageRef: 'app@sha256:2',
    imageId: 'sha256:1',
    state: ContainerState.CONTAINER_EXITED,
    labels: { 'io.kubernetes.pod.namespace': 'by-label', 'io.kubernetes.pod.name': 'pod' },
  };
  const sandboxes = { items: [{ id: 's1', metadata: { namespace: 'shop', name: 'cart' } }] };
  const mounts = [{ containerPath: '/data' }, { containerPath: '/model', image: { image: 'sha256:7', userSpecifiedImage: 'models/a:1' } }];

  test('tells every reference to an image, the volumes, and the pod', async () => {
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        listContainers: () => ({ containers: [listed, { ...listed, id: 'c2', podSandboxId: 'gone', state: STATE_OF_LATER_CRI }] }),
        containerStatus: ({ containerId }) => ({ status: { mounts: containerId === 'c1' ? mounts : [] } }),
        listPodSandbox: () => sandboxes,
      },
    });
    await withRuntime(server, async (runtime) => {
      const app = {
        id: 'c1',
        name: 'app',
        state: 'exited',
        podNamespace: 'shop',
        podName: 'cart',
        imageReferences: ['docker.io/library/app:1', 'app:1', 'app@sha256:2', 'sha256:1'],
        volumeImageReferences: ['sha256:7', 'models/a:1'],
      };
      expect(await runtime.listContainers(signal)).toEqual([
        app,
        { ...app, id: 'c2', state: 'unknown', podNamespace: 'by-label', podName: 'pod', volumeImageReferences: [] },
      ]);
    });
  });

  test.each([
    ['the image that was asked for', { image: { image: 'app:1' } }, 'app:1'],
    ['what the user specified', { image: { userSpecifiedImage: 'app:1' } }, 'app:1'],
    ['the reference', { imageRef: 'app@sha256:2' }, 'app@sha256:2'],
    ['the id', { imageId: 'sha256:1' }, 'sha256:1'],
  ])('takes %s even where the runtime tells nothing else', async (_case, told, reference) => {
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        listContainers: () => ({ containers: [{ id: 'c1', ...told }] }),
        containerStatus: () => ({}),
        listPodSandbox: () => ({}),
      },
    });
    await withRuntime(server, async (runtime) => {
      expect(await runtime.listContainers(signal)).toMatchObject([{ imageReferences: [reference] }]);
    });
  });

  test('asks about a container once in its life', async () => {
    const asked: string[] = [];
    let ids = ['c1', 'c2'];
    let lists = 0;
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        listContainers: () => {
          lists += 1;
          return { containers: ids.map((id) => ({ ...listed, id })) };
        },
        containerStatus: ({ containerId }) => {
          asked.push(containerId);
          return { status: { mounts } };
        },
        listPodSandbox: () => {
          asked.push('sandboxes');
          return sandboxes;
        },
      },
    });
    await withRuntime(server, async (runtime) => {
      const listsTaken: number[] = [];
      for (const next of [['c1', 'c2'], ['c2', 'c3'], ['c3'], ['c3'], ['c1', 'c3']]) {
        ids = next;
        lists = 0;
        expect(await runtime.listContainers(signal)).toHaveLength(next.length);
        listsTaken.push(lists);
      }
      expect(listsTaken).toEqual([2, 2, 1, 1, 2]);
      expect(asked.toSorted()).toEqual(['c1', 'c1', 'c2', 'c3', 'sandboxes']);
    });
  });

  test('leaves out a container that is gone, and only that', async () => {
    let isGone = false;
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        listContainers: () => ({ containers: isGone ? [{ ...listed, id: 'c2' }] : [listed, { ...listed, id: 'c2' }] }),
        containerStatus: ({ containerId }) => {
          if (containerId === 'c2') return { status: { mounts: [] } };
          isGone = true;
          return notFound();
        },
        listPodSandbox: () => sandboxes,
      },
    });
    await withRuntime(server, async (runtime) => {
      expect((await runtime.listContainers(signal)).map(({ id }) => id)).toEqual(['c2']);
    });
  });

  test.each(['ContainerStatus', 'ListPodSandbox'])('is as fresh as the last list: has what is made during %s', async (during) => {
    // Each question about a container is time in which the next one is made.
    const made = ['c1'];
    const make = (call: string): void => {
      if (call === during && made.length < 3) made.push(`c${made.length + 1}`);
    };
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        listContainers: () => ({
          containers: made.map((id) => ({
            ...listed,
            id,
            podSandboxId: `s-${id}`,
            state: made.length === 3 ? ContainerState.CONTAINER_EXITED : ContainerState.CONTAINER_RUNNING,
          })),
        }),
        containerStatus: ({ containerId }) => {
          make('ContainerStatus');
          return { status: { mounts: containerId === 'c3' ? mounts : [] } };
        },
        listPodSandbox: () => {
          make('ListPodSandbox');
          return sandboxes;
        },
      },
    });
    await withRuntime(server, async (runtime) => {
      expect(await runtime.listContainers(signal)).toMatchObject([
        { id: 'c1', state: 'exited' },
        { id: 'c2', state: 'exited' },
        { id: 'c3', state: 'exited', volumeImageReferences: ['sha256:7', 'models/a:1'] },
      ]);
    });
  });

  test('rejects when there is always another new container', async () => {
    let made = 0;
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        listContainers: () => ({ containers: [{ ...listed, id: `c${++made}` }] }),
        containerStatus: () => ({}),
        listPodSandbox: () => sandboxes,
      },
    });
    await withRuntime(server, async (runtime) => {
      await expect(runtime.listContainers(signal)).rejects.toMatchObject({ code: 'call-failed', action: 'retry' });
    });
  });

  test.each([
    ['a container that the list still has', Code.NotFound, 'not-found', 2],
    ['another error, at once', Code.Internal, 'call-failed', 1],
  ])('rejects on %s rather than give a part', async (_case, code, expected, expectedLists) => {
    let lists = 0;
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        listContainers: () => {
          lists += 1;
          return { containers: [listed, { ...listed, id: 'c2' }] };
        },
        containerStatus: ({ containerId }) => {
          if (containerId === 'c2') throw new ConnectError('no', code);
          return { status: { mounts: [] } };
        },
        listPodSandbox: () => sandboxes,
      },
    });
    await withRuntime(server, async (runtime) => {
      await expect(runtime.listContainers(signal)).rejects.toMatchObject({
        code: expected,
        message: expect.stringContaining('ContainerStatus') as string,
      });
      expect(lists).toBe(expectedLists);
    });
  });
});

describe('listContainers: made beside the CRI', () => {
  interface Request {
    readonly filters: readonly string[];
    readonly namespace: string | null;
  }

  /** A runtime with one container of the CRI, and a log of all calls. */
  const startWithOthers = (version: TestRuntimeVersion, calls: string[], list: (request: Request) => { id: string; image: string }[]) =>
    startTestRuntime(version, {
      runtime: {
        listContainers: () => {
          calls.push('ListContainers');
          return { containers: [{ id: 'c1', imageId: 'sha256:1' }] };
        },
        containerStatus: () => {
          calls.push('ContainerStatus');
          return {};
        },
        listPodSandbox: () => {
          calls.push('ListPodSandbox');
          return {};
        },
      },
      others: (router) => {
        router.service(Containers, {
          list: ({ filters }, { requestHeader }) => {
            calls.push('others');
            return { containers: list({ filters, namespace: requestHeader.get('containerd-namespace') }) };
          },
        });
      },
    });

  test('are added, with the image they were made from', async () => {
    const requests: Request[] = [];
    const server = await startWithOthers(CONTAINERD, [], (request) => {
      requests.push(request);
      return [
        { id: 'by-hand', image: 'docker.io/library/tool:1' },
        { id: 'from-rootfs', image: '' },
      ];
    });
    await withRuntime(server, async (runtime) => {
      const other = { state: 'unknown', podNamespace: '', podName: '', volumeImageReferences: [] };
      expect(await runtime.listContainers(signal)).toEqual([
        expect.objectContaining({ id: 'c1', imageReferences: ['sha256:1'] }),
        { ...other, id: 'by-hand', name: 'by-hand', imageReferences: ['docker.io/library/tool:1'] },
      ]);
      expect(requests.at(-1)).toEqual({
        filters: ['labels."io.cri-containerd.kind"!=container,labels."io.cri-containerd.kind"!=sandbox'],
        namespace: 'k8s.io',
      });
    });
  });

  test('are read after all that takes time, and the list of the CRI last', async () => {
    const calls: string[] = [];
    await withRuntime(await startWithOthers(CONTAINERD, calls, () => []), async (runtime) => {
      await runtime.listContainers(signal);
      expect(calls.slice(-3)).toEqual(['ListPodSandbox', 'others', 'ListContainers']);
      calls.length = 0;
      await runtime.listContainers(signal);
      expect(calls).toEqual(['others', 'ListContainers']);
    });
  });

  test('are not asked for where the runtime is not containerd', async () => {
    const calls: string[] = [];
    await withRuntime(await startWithOthers(CRI_O, calls, () => [{ id: 'x', image: 'x' }]), async (runtime) => {
      expect(await runtime.listContainers(signal)).toMatchObject([{ id: 'c1' }]);
      expect(calls).not.toContain('others');
    });
  });

  test.each([Code.Internal, Code.NotFound, Code.PermissionDenied, Code.Unavailable])(
    'reject when they cannot be listed (%i), rather than give the part of the CRI',
    async (code) => {
      const server = await startWithOthers(CONTAINERD, [], () => {
        throw new ConnectError('no', code);
      });
      await withRuntime(server, async (runtime) => {
        await expect(runtime.listContainers(signal)).rejects.toMatchObject({ name: 'CriError' });
      });
    },
  );

  test('are none where containerd does not offer the service', async () => {
    const server = await startWithOthers(CONTAINERD, [], () => {
      throw new ConnectError('unknown service', Code.Unimplemented);
    });
    await withRuntime(server, async (runtime) => {
      expect(await runtime.listContainers(signal)).toMatchObject([{ id: 'c1' }]);
    });
  });
});

describe('sandboxImageReferences', () => {
  const pause = 'registry.k8s.io/pause:3.10';
  const withSandbox = (config: string, info: Record<string, string>) => ({
    status: () => ({ info: { config } }),
    listPodSandbox: () => ({ items: [{ id: 's1' }, { id: 'gone' }] }),
    podSandboxStatus: ({ podSandboxId }: { podSandboxId: string }) => (podSandboxId === 'gone' ? notFound() : { info }),
  });

  test.each([
    ['containerd 1.6', CONTAINERD, `{"containerd":{"snapshotter":"overlayfs"},"sandboxImage":"${pause}"}`, '{"image":"old/pause:3.1"}'],
    ['CRI-O', CRI_O, `{"sandboxImage":"${pause}"}`, '{"image":"old/pause:3.1","pid":1}'],
  ])('%s: the configured one and those in use', async (_case, version, config, info) => {
    await withRuntime(await startTestRuntime(version, { runtime: withSandbox(config, { info }) }), async (runtime) => {
      expect(await runtime.sandboxImageReferences(signal)).toEqual([pause, 'old/pause:3.1']);
    });
  });

  test('asks each sandbox once, and again one that has not told; the configuration each time', async () => {
    let [configured, listed, asked] = [pause, ['s1', 'gone'], [] as string[]];
    const server = await startTestRuntime(CONTAINERD, {
      runtime: {
        status: () => ({ info: { config: `{"sandboxImage":"${configured}"}` } }),
        listPodSandbox: () => ({ items: listed.map((id) => ({ id })) }),
        podSandboxStatus: ({ podSandboxId }) => {
          asked.push(podSandboxId);
          return podSandboxId === 'gone' ? notFound() : { info: { info: `{"image":"of-${podSandboxId}"}` } };
        },
      },
    });
    await withRuntime(server, async (runtime) => {
      expect(await runtime.sandboxImageReferences(signal)).toEqual([pause, 'of-s1']);
      [configured, listed, asked] = ['new/pause:4', ['gone', 's1', 's2'], []];
      expect(await runtime.sandboxImageReferences(signal)).toEqual(['new/pause:4', 'of-s1', 'of-s2']);
      expect(asked.toSorted()).toEqual(['gone', 's2']);
      listed = ['s2'];
      expect(await runtime.sandboxImageReferences(signal)).toEqual(['new/pause:4', 'of-s2']);
    });
  });

  test.each([Code.Internal, Code.PermissionDenied])(
    'rejects when a sandbox cannot be read (%i), rather than leave it out',
    async (code) => {
      const server = await startTestRuntime(CONTAINERD, {
        runtime: {
          ...withSandbox(`{"sandboxImage":"${pause}"}`, {}),
          podSandboxStatus: ({ podSandboxId }) => {
            if (podSandboxId === 's1') throw new ConnectError('no', code);
            return { info: { info: `{"image":"${pause}"}` } };
          },
        },
      });
      await withRuntime(server, async (runtime) => {
        await expect(runtime.sandboxImageReferences(signal)).rejects.toMatchObject({ code: 'call-failed' });
      });
    },
  );

  test('containerd 2 names it in its sandboxes only', async () => {
    const runtime = withSandbox('{"containerd":{"runtimes":{}}}', { info: `{"image":"${pause}"}` });
    await withRuntime(await startTestRuntime(CONTAINERD, { runtime }), async (connected) => {
      expect(await connected.sandboxImageReferences(signal)).toEqual([pause]);
    });
  });

  test.each([
    ['CRI-O without infra containers and an old Status', '', { info: '{}' }],
    ['text that is not JSON', 'no', { info: 'neither' }],
    ['no info at all', '[]', {}],
    ['an empty name', '{"sandboxImage":""}', {}],
  ])('null when nothing names it: %s', async (_case, config, info: Record<string, string>) => {
    await withRuntime(await startTestRuntime(CRI_O, { runtime: withSandbox(config, info) }), async (runtime) => {
      expect(await runtime.sandboxImageReferences(signal)).toBeNull();
    });
  });
});

const digest = (name: string): string => `sha256:${name}`;
const CONFIG = 'containerd.io/gc.ref.content.config';
const LAYER = 'containerd.io/gc.ref.content.l.';

/** Two images over one base layer; b's own layer is no longer in the content store. */
function startContainerd(snapshotLabel = 'containerd.io/gc.ref.snapshot.overlayfs'): Promise<TestRuntimeServer> {
  const diffIds: Record<string, string[]> = { [digest('a')]: [digest('base')], [digest('b')]: [digest('base'), digest('top')] };
  const blobs = [
    { digest: digest('manifest-a'), size: 10n, labels: { [CONFIG]: digest('a'), [`${LAYER}0`]: digest('base-gz') } },
    {
      digest: digest('manifest-b'),
      size: 11n,
      labels: { [CONFIG]: digest('b'), [`${LAYER}0`]: digest('base-gz'), [`${LAYER}1`]: digest('top-gz') },
    },
    { digest: digest('a'), size: 2n, labels: { [snapshotLabel]: digest('base') } },
    { digest: digest('b'), size: 3n, labels: { [snapshotLabel]: digest('chain') } },
    { digest: digest('base-gz'), size: 400n, labels: { 'containerd.io/uncompressed': digest('base') } },
  ];
  const usage: Record<string, bigint> = { [digest('base')]: 1000n };
  return startTestRuntime(CONTAINERD, {
    runtime: { status: () => ({ info: { config: '{}' } }) },
    images: {
      imageStatus: ({ image }) => {
        const id = image?.image ?? '';
        const layers = diffIds[id];
        return layers === undefined
          ? {}
          : { image: { id }, info: { info: JSON.stringify({ imageSpec: { rootfs: { diff_ids: layers } } }) } };
      },
    },
    others: (router) => {
      router.service(Content, {
        // eslint-disable-next-line @typescript-eslint/require-await -- a stream is an async generator
        list: async function* ({ filters }) {
          const wanted = filters[0]?.split('==')[1];
          yield { info: blobs.filter((blob) => wanted === undefined || blob.labels[CONFIG] === wanted).slice(0, 2) };
          yield { info: blobs.filter((blob) => wanted === undefined || blob.labels[CONFIG] === wanted).slice(2) };
        },
        info: (request) => ({ info: blobs.find((blob) => blob.digest === request.digest) ?? notFound() }),
      });
      router.service(Snapshots, {
        usage: ({ snapshotter, key }) => {
          if (snapshotter !== 'overlayfs') throw new ConnectError(`snapshotter not loaded: ${snapshotter}`, Code.InvalidArgument);
          return { size: usage[key] ?? notFound() };
        },
      });
    },
  });
}

describe('imageStorage', () => {
  test('of containerd: snapshots and blobs, shared by key', async () => {
    await withRuntime(await startContainerd(), async (runtime) => {
      const shared = [
        { key: 'snapshot:sha256:base', bytes: 1000 },
        { key: 'blob:sha256:base-gz', bytes: 400 },
      ];
      const storage = await runtime.imageStorage([digest('a'), digest('b'), digest('absent')], signal);
      expect([...storage.keys()]).toEqual([digest('a'), digest('b')]);
      expect(storage.get(digest('a'))).toEqual(
        expect.arrayContaining([...shared, { key: 'blob:sha256:a', bytes: 2 }, { key: 'blob:sha256:manifest-a', bytes: 10 }]),
      );
      expect(storage.get(digest('b'))).toEqual(
        expect.arrayContaining([...shared, { key: 'blob:sha256:b', bytes: 3 }, { key: 'blob:sha256:manifest-b', bytes: 11 }]),
      );
    });
  });

  test('a snapshotter that is configured no more takes nothing', async () => {
    await withRuntime(await startContainerd('containerd.io/gc.ref.snapshot.stargz'), async (runtime) => {
      const storage = await runtime.imageStorage([digest('a')], signal);
      expect(storage.get(digest('a'))?.map(({ key }) => key)).not.toContain('snapshot:sha256:base');
    });
  });

  test('is empty for CRI-O, and for containerd without these services', async () => {
    for (const version of [CRI_O, CONTAINERD]) {
      await withRuntime(await startTestRuntime(version, {}), async (runtime) => {
        expect(await runtime.imageStorage([digest('a')], signal)).toEqual(new Map());
      });
    }
  });
});

describe('isContentComplete', () => {
  test('of containerd', async () => {
    await withRuntime(await startContainerd(), async (runtime) => {
      expect(await runtime.isContentComplete(digest('a'), signal)).toBe(true);
      expect(await runtime.isContentComplete(digest('b'), signal)).toBe(false);
      expect(await runtime.isContentComplete(digest('absent'), signal)).toBe(false);
    });
  });

  test('is not told by CRI-O, nor by containerd without these services', async () => {
    for (const version of [CRI_O, CONTAINERD]) {
      await withRuntime(await startTestRuntime(version, {}), async (runtime) => {
        expect(await runtime.isContentComplete(digest('a'), signal)).toBeNull();
      });
    }
  });
});

describe('imageFilesystem', () => {
  const withMountpoint = (mountpoint: string) => ({ images: { imageFsInfo: () => ({ imageFilesystems: [{ fsId: { mountpoint } }] }) } });

  test('is read from the mountpoint', async () => {
    await withRuntime(await startTestRuntime(CONTAINERD, withMountpoint(os.tmpdir())), async (runtime) => {
      const usage = await runtime.imageFilesystem(signal);
      if (usage === null) throw new Error('not read');
      expect(usage.mountpoint).toBe(os.tmpdir());
      expect(usage.usedBytes).toBeGreaterThan(0);
      expect(usage.usedBytes + usage.availableBytes).toBeLessThanOrEqual(usage.capacityBytes);
    });
  });

  test.each(['/not/visible/here', ''])('null when it is not visible: %j', async (mountpoint) => {
    await withRuntime(await startTestRuntime(CONTAINERD, withMountpoint(mountpoint)), async (runtime) => {
      expect(await runtime.imageFilesystem(signal)).toBeNull();
    });
  });
});
