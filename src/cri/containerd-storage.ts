import type { ImageStorage, StorageUnit } from '../api/inventory.ts';
import { CONTAINERD_NAMESPACE, listContent } from './containerd-content.ts';
import { ContentIndex } from './content-index.ts';
import { CriError, isNotFound, isNotImplemented } from './cri-error.ts';
import { chainIds, readDiffIds } from './image-layers.ts';
import { mapConcurrently, RUNTIME_CONCURRENCY } from './map-concurrently.ts';
import type { RuntimeConnection } from './runtime-connection.ts';
import { configuredSnapshotter } from './verbose-info.ts';

/** Bytes by snapshotter and snapshot. What an image's layer was unpacked to does not change. */
export type SnapshotSizes = Map<string, number>;

export interface StorageOptions {
  /** Is added to. */
  readonly known: SnapshotSizes;
  readonly signal: AbortSignal;
}

/** What the images occupy in containerd: unpacked layers, and the compressed content beside them. Empty without containerd's own services. */
export async function readContainerdStorage(
  connection: RuntimeConnection,
  imageIds: readonly string[],
  { known, signal }: StorageOptions,
): Promise<ImageStorage> {
  try {
    const content = new ContentIndex(await listContent(connection, [], signal));
    const layers = await mapConcurrently(
      imageIds,
      RUNTIME_CONCURRENCY,
      signal,
      async (id, either) => content.diffIdsOfImage(id) ?? (await readDiffIds(connection, id, either)),
    );
    const snapshotNames = [...new Set(layers.flatMap((diffIds) => chainIds(diffIds ?? [])))];
    const snapshotters = content.snapshotters.length > 0 ? content.snapshotters : [await readSnapshotter(connection, signal)];
    const sizes = await mapConcurrently(snapshotNames, RUNTIME_CONCURRENCY, signal, (name, either) =>
      readSnapshot(connection, name, snapshotters, { known, signal: either }),
    );
    const snapshots = new Map(snapshotNames.map((name, index) => [name, sizes[index] ?? []]));
    const storage = new Map<string, readonly StorageUnit[]>();
    for (const [index, imageId] of imageIds.entries()) {
      const diffIds = layers[index] ?? null;
      if (diffIds === null) continue;
      const unpacked = [...new Set(chainIds(diffIds))].flatMap((name) => snapshots.get(name) ?? []);
      const units = [...unpacked, ...content.unitsOfImage(imageId, diffIds)];
      if (units.length > 0) storage.set(imageId, units);
    }
    return storage;
  } catch (error) {
    if (isNotImplemented(error)) return new Map();
    throw error;
  }
}

/** One unit with what the snapshot takes in all snapshotters that hold it; none when the image is not unpacked. */
async function readSnapshot(
  connection: RuntimeConnection,
  name: string,
  snapshotters: readonly string[],
  { known, signal }: StorageOptions,
): Promise<StorageUnit[]> {
  let bytes: number | undefined;
  for (const snapshotter of snapshotters) {
    const key = `${snapshotter} ${name}`;
    const before = known.get(key);
    if (before !== undefined) {
      bytes = (bytes ?? 0) + before;
      continue;
    }
    try {
      const usage = await connection.call('containerd snapshots Usage', signal, (options) =>
        connection.snapshots.usage({ snapshotter, key: name }, { ...options, ...CONTAINERD_NAMESPACE }),
      );
      const size = Number(usage.size);
      known.set(key, size);
      bytes = (bytes ?? 0) + size;
    } catch (error) {
      if (!isNotFound(error) && !isUnknownSnapshotter(error)) throw error;
    }
  }
  return bytes === undefined ? [] : [{ key: `snapshot:${name}`, bytes }];
}

/** An image may have been unpacked to a snapshotter that containerd runs no more: its label stays. */
function isUnknownSnapshotter(error: unknown): boolean {
  return error instanceof CriError && error.code === 'invalid-argument';
}

/** containerd 2 does not tell; its default is the same. */
async function readSnapshotter(connection: RuntimeConnection, signal: AbortSignal): Promise<string> {
  const status = await connection.call('Status', signal, (options) => connection.runtime.status({ verbose: true }, options));
  return configuredSnapshotter(status.info['config']) ?? 'overlayfs';
}
