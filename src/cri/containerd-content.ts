import type { RuntimeConnection } from './runtime-connection.ts';

/** containerd keeps what CRI pulls in a namespace of its own. */
export const CONTAINERD_NAMESPACE = { headers: { 'containerd-namespace': 'k8s.io' } };

export interface ContentBlob {
  readonly digest: string;
  /** As stored: compressed, for most layers. */
  readonly bytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** The blobs of containerd's content store that match one of the filters, all without a filter. */
export async function listContent(connection: RuntimeConnection, filters: string[], signal: AbortSignal): Promise<ContentBlob[]> {
  return connection.call('containerd content List', signal, async (options) => {
    const answers = await connection.content.list({ filters }, { ...options, ...CONTAINERD_NAMESPACE });
    return answers.flatMap(({ info }) => info.map(({ digest, size, labels }) => ({ digest, bytes: Number(size), labels })));
  });
}

/** containerd's garbage collector follows these labels from a manifest to its parts, and from a config to what it was unpacked to. */
const CONFIG_LABEL = 'containerd.io/gc.ref.content.config';
const LAYER_LABEL = 'containerd.io/gc.ref.content.l.';
const SNAPSHOT_LABEL = 'containerd.io/gc.ref.snapshot.';
const DIFF_ID_LABEL = 'containerd.io/uncompressed';

/** The filter for the manifests of an image: more than one, when it was pulled in more than one compression. */
export function manifestsOfImage(imageId: string): string {
  return `labels."${CONFIG_LABEL}"==${imageId}`;
}

/** The image id of a manifest, undefined for any other blob. */
export function configDigest(blob: ContentBlob): string | undefined {
  return blob.labels[CONFIG_LABEL];
}

/** A manifest's layers, from the base up; none when containerd was to discard layers once unpacked, for it then leaves these labels out. */
export function layerDigests(blob: ContentBlob): string[] {
  return Object.entries(blob.labels)
    .filter(([label]) => label.startsWith(LAYER_LABEL))
    .map(([label, digest]) => ({ place: Number(label.slice(LAYER_LABEL.length)), digest }))
    .sort((a, b) => a.place - b.place)
    .map(({ digest }) => digest);
}

/** The snapshotters that an image with this config was unpacked to. */
export function snapshotters(config: ContentBlob): string[] {
  return Object.keys(config.labels).flatMap((label) => (label.startsWith(SNAPSHOT_LABEL) ? [label.slice(SNAPSHOT_LABEL.length)] : []));
}

/** The names of the snapshots that an image with this config was unpacked to: of its topmost layer, one in each snapshotter. */
export function topSnapshots(config: ContentBlob): string[] {
  return Object.entries(config.labels).flatMap(([label, name]) => (label.startsWith(SNAPSHOT_LABEL) ? [name] : []));
}

/** The digest of the layer as it is uncompressed. */
export function diffId(blob: ContentBlob): string | undefined {
  return blob.labels[DIFF_ID_LABEL];
}
