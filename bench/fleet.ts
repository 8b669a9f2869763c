import { create, toBinary } from '@bufbuild/protobuf';
import { COORDINATOR } from '../src/api/coordinator/coordinator-objects.ts';
import type { NodeContainer, NodeImage, NodeInventory } from '../src/api/inventory.ts';
import type { ImageAnalysis } from '../src/api/scan-report.ts';
import { encodePart, encodeRecipe } from '../src/scan/analysis-form.ts';
import { PutArtifactRequestSchema, PutBlobRequestSchema, ScanRequestSchema } from '../src/scan/gen/trivy_pb.js';
import { claimsOf, ISSUER, makeSigningKey, sign } from '../test/fakes/signed-tokens.ts';
import { createRandomSource, type RandomSource } from './random-source.ts';
import type { ServedCoordinator } from './served-coordinator.ts';

const IMAGES = 400;
const IMAGES_OF_NODE = 60;
const CONTAINERS_OF_NODE = 30;
const LAYERS = 6;
const PACKAGES_OF_LAYER = 30;
const NAMESPACE = 'eraser-system';
const ACCOUNT = 'eraser-imagejob-pods';
const JOB = '6a0f8a4e-5d3c-4a55-9a53-0d6f3f2f7a11';
export const SCANNER_VERSION = '0.74.0';

export interface FleetNode {
  readonly name: string;
  readonly inventory: NodeInventory;
  /** The ids of images. */
  readonly inUse: readonly string[];
  /** Of its worker pod, as the kubelet mounts it. */
  readonly token: string;
}

/** The nodes of a cluster that run much the same, and what a coordinator has to know of them. */
export interface Fleet {
  readonly nodes: readonly FleetNode[];
  /** Different ones, on all nodes together. */
  readonly images: number;
  readonly imagesOfNode: number;
  readonly scannerVersion: string;
  readonly served: Omit<ServedCoordinator, 'history' | 'trivyServer'>;
  /** What a scanner would read of an image. */
  analysisOf(imageId: string): ImageAnalysis;
}

/** What is on a node. */
export type NodeContent = Pick<FleetNode, 'name' | 'inventory' | 'inUse'>;

/** The same content for the same place in the list, whatever the name. */
export function makeContents(names: readonly string[]): NodeContent[] {
  const random = createRandomSource(20_261_122);
  const images = Array.from({ length: IMAGES }, (_, at) => makeImage(at, random));
  return names.map((name) => {
    const own = pickSome(images, random);
    const containers = own.slice(0, CONTAINERS_OF_NODE).map((image, number) => makeContainer(image, `${name}-${String(number)}`));
    return {
      name,
      inventory: { runtime: { name: 'containerd', version: '2.2.3' }, images: own, containers, sandboxImageReferences: [] },
      inUse: own.slice(0, CONTAINERS_OF_NODE).map(({ id }) => id),
    };
  });
}

/** How many different images are on all of them together. */
export function countImages(nodes: readonly NodeContent[]): number {
  return new Set(nodes.flatMap(({ inventory }) => inventory.images.map(({ id }) => id))).size;
}

export async function makeFleet(count: number): Promise<Fleet> {
  const key = await makeSigningKey('bench');
  const now = Math.floor(Date.now() / 1_000);
  const nodes: FleetNode[] = [];
  for (const content of makeContents(Array.from({ length: count }, (_, at) => `node-${String(at)}`))) {
    const { name } = content;
    const pod = { name, uid: `uid-of-${name}` };
    const serviceaccount = { name: ACCOUNT, uid: 'account-uid' };
    // For longer than the benchmark takes.
    const claims = {
      ...claimsOf(now),
      exp: now + 86_400,
      aud: [COORDINATOR.audience],
      sub: `system:serviceaccount:${NAMESPACE}:${ACCOUNT}`,
    };
    const bound = { namespace: NAMESPACE, node: { name, uid: `uid-of-${name}` }, pod, serviceaccount };
    nodes.push({ ...content, token: await sign(key, { ...claims, 'kubernetes.io': bound }) });
  }
  return {
    nodes,
    images: countImages(nodes),
    imagesOfNode: IMAGES_OF_NODE,
    scannerVersion: SCANNER_VERSION,
    served: {
      job: JOB,
      namespace: NAMESPACE,
      account: ACCOUNT,
      nodes: nodes.map(({ name }) => name),
      discovery: { issuer: ISSUER },
      keys: { keys: [key.published] },
    },
    analysisOf,
  };
}

/** Some that nearly every node has, as those of the platform, and others. */
function pickSome(images: readonly NodeImage[], random: RandomSource): NodeImage[] {
  const picked = new Map<string, NodeImage>();
  while (picked.size < IMAGES_OF_NODE) {
    const image = images[random.next() < 0.3 ? random.below(30) : random.below(images.length)];
    if (image !== undefined) picked.set(image.id, image);
  }
  return [...picked.values()];
}

function makeImage(at: number, random: RandomSource): NodeImage {
  const name = `registry.example.com/team-${String(at % 20)}/service-${String(at)}`;
  return {
    id: `sha256:${random.hex(64)}`,
    repoTags: [`${name}:1.${String(at)}.0`],
    repoDigests: [`${name}@sha256:${random.hex(64)}`],
    sizeBytes: 20_000_000 + random.below(400_000_000),
    pinned: false,
  };
}

function makeContainer({ id, repoTags }: NodeImage, name: string): NodeContainer {
  return {
    id: name.padStart(64, '0'),
    name: 'app',
    state: 'running',
    podNamespace: 'shop',
    podName: name,
    imageReferences: [id, ...repoTags],
    volumeImageReferences: [],
  };
}

/** What a scanner would read of an image. */
export function analysisOf(imageId: string): ImageAnalysis {
  const keys = Array.from({ length: LAYERS }, (_, at) => (at === 0 ? 'sha256:base' : `${imageId}-${String(at)}`));
  const parts = keys.map((diffId) => {
    const packages = Array.from({ length: PACKAGES_OF_LAYER }, (_, at) => ({
      name: `package-${String(at)}-of-${diffId}`,
      version: `1.${String(at)}.0-r1`,
      srcName: `source-${String(at)}`,
      srcVersion: `1.${String(at)}.0-r1`,
    }));
    const blobInfo = { schemaVersion: 2, diffId, packageInfos: [{ filePath: 'lib/apk/db/installed', packages }] };
    return encodePart(diffId, toBinary(PutBlobRequestSchema, create(PutBlobRequestSchema, { diffId, blobInfo })));
  });
  const artifactId = imageId;
  const options = { pkgTypes: ['os', 'library'], scanners: ['vuln'] };
  const scan = toBinary(ScanRequestSchema, create(ScanRequestSchema, { artifactId, blobIds: keys, options }));
  const putArtifact = toBinary(
    PutArtifactRequestSchema,
    create(PutArtifactRequestSchema, { artifactId, artifactInfo: { schemaVersion: 1 } }),
  );
  const recipe = encodeRecipe({ imageId, partKeys: keys, putArtifact, scan });
  return { imageId, scannerName: 'trivy', scannerVersion: SCANNER_VERSION, parts, recipe };
}
