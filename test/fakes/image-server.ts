import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ImageSchema } from '../../src/cri/gen/cri_pb.js';
import { CRI_O, startTestRuntime, type TestRuntimeServer } from './test-runtime-server.ts';

export type ServedImage = MessageInitShape<typeof ImageSchema> & { readonly id: string };

/** A runtime over real gRPC that holds images as they are given to it, with names that no real one takes, and forgets what is removed. */
export interface ImageServer extends AsyncDisposable {
  readonly socketPath: string;
  /** Still there, in order. */
  readonly imageIds: () => string[];
}

export interface ImageServerOptions {
  /** false: it accepts a removal and does not carry it out. */
  readonly removes?: boolean;
}

export async function startImageServer(images: readonly ServedImage[], { removes = true }: ImageServerOptions = {}): Promise<ImageServer> {
  const present = new Map(images.map((image) => [image.id, image]));
  const server: TestRuntimeServer = await startTestRuntime(CRI_O, {
    runtime: {
      listContainers: () => ({}),
      listPodSandbox: () => ({}),
      status: () => ({ info: { config: JSON.stringify({ sandboxImage: 'registry.k8s.io/pause:3.10' }) } }),
    },
    images: {
      listImages: () => ({ images: [...present.values()] }),
      imageStatus: ({ image }) => {
        const found = present.get(image?.image ?? '');
        return found === undefined ? {} : { image: found };
      },
      removeImage: ({ image }) => {
        if (removes) present.delete(image?.image ?? '');
        return {};
      },
      imageFsInfo: () => ({ imageFilesystems: [{ fsId: { mountpoint: '/proc/nonexistent' } }] }),
    },
  });
  return {
    socketPath: server.socketPath,
    imageIds: () => [...present.keys()].sort(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
