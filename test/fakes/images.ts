import type { NodeContainer, NodeImage, NodeInventory } from '../../src/api/inventory.ts';
import type { Finding, ScanReport } from '../../src/api/scan-report.ts';
import { compileExclusions, type Exclusions } from '../../src/core/exclusions/exclusions.ts';
import { compileImageList, type ImageList } from '../../src/core/image-list.ts';
import type { PlanInput } from '../../src/core/plan-facts.ts';

/** A well-formed image id, different for each number. */
export function imageId(number: number): string {
  return `sha256:${number.toString(16).padStart(64, '0')}`;
}

/** A well-formed digest, different for each number and from every image id. */
export function digest(number: number): string {
  return `sha256:${number.toString(16).padStart(64, 'd')}`;
}

export function image(number: number, fields: Partial<NodeImage> = {}): NodeImage {
  return {
    id: imageId(number),
    repoTags: [`docker.io/library/image-${String(number)}:1`],
    repoDigests: [],
    sizeBytes: 1000 + number,
    pinned: false,
    ...fields,
  };
}

export function container(number: number, imageReferences: readonly string[], fields: Partial<NodeContainer> = {}): NodeContainer {
  return {
    id: `container-${String(number)}`,
    name: 'app',
    state: 'running',
    podNamespace: 'default',
    podName: `pod-${String(number)}`,
    imageReferences,
    volumeImageReferences: [],
    ...fields,
  };
}

export function inventory(images: readonly NodeImage[], fields: Partial<NodeInventory> = {}): NodeInventory {
  return { runtime: { name: 'containerd', version: '2.2.3' }, images, containers: [], sandboxImageReferences: [], ...fields };
}

export function exclusionsOf(...entries: string[]): Exclusions {
  const compiled = compileExclusions([{ name: 'test', entries }]);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.exclusions;
}

export function imageListOf(...entries: string[]): ImageList {
  const compiled = compileImageList(entries);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.list;
}

/** A plan's input in which nothing but the inventory says anything and the scanner is off: every unused image goes. */
export function planInput(images: readonly NodeImage[], fields: Partial<PlanInput> = {}): PlanInput {
  return {
    inventory: inventory(images),
    pendingPods: [],
    exclusions: exclusionsOf(),
    imageList: null,
    protections: [],
    minAgeMs: 0,
    maxAgeMs: null,
    histories: new Map(),
    diskThresholds: null,
    scan: null,
    storage: new Map(),
    now: Date.UTC(2026, 10, 1),
    ...fields,
  };
}

export function finding(fields: Partial<Finding> = {}): Finding {
  return {
    id: 'CVE-2026-0001',
    packageName: 'openssl',
    packageClass: 'os',
    installedVersion: '3.0.0-r0',
    fixedVersion: '3.0.1-r0',
    severity: 'HIGH',
    status: 'fixed',
    ...fields,
  };
}

export function report(image: NodeImage, fields: Partial<ScanReport> = {}): ScanReport {
  return {
    imageId: image.id,
    scanner: { name: 'trivy', version: '0.74.0', databaseUpdatedAt: null, databaseMark: null },
    os: { family: 'alpine', name: '3.22', endOfLife: false },
    findings: [],
    ...fields,
  };
}
