import type { FilesystemUsage, NodeContainer, RuntimeVersion } from '../../api/inventory.ts';
import { formatBytes } from '../../platform/quantity.ts';
import { countOf } from '../output/count-of.ts';
import type { Attempt } from './attempt.ts';
import { ok, problem, skipped, warning, type Finding } from './check.ts';

export interface RuntimeContact {
  readonly socketPath: string;
  /** What named the socket. */
  readonly source: string;
  readonly version: RuntimeVersion;
}

export function judgeRuntime(contact: Attempt<RuntimeContact>): Finding {
  if (!contact.ok) return problem(contact.message, contact.hint);
  const { socketPath, source, version } = contact.value;
  const how = source === 'found' ? 'the first of the usual sockets' : source;
  return ok(`${version.name} ${version.version} answers CRI v1 at ${socketPath} (${how})`);
}

/** What containerd's own services tell of some images. */
export interface ServicesFacts {
  readonly runtimeName: string;
  readonly images: number;
  /** Of those looked at. */
  readonly lookedAt: number;
  /** Whose sizes on disk are known. */
  readonly sized: number;
  /** Whose content is in the store as a whole. */
  readonly complete: number;
  /** false: there is no content store to ask. */
  readonly hasContentService: boolean;
}

/** `scans`: whether images are to be scanned; else those that are not whole do not matter. */
export function judgeServices(services: Attempt<ServicesFacts> | null, scans: boolean): Finding {
  if (services === null) return skipped('Needs the container runtime');
  if (!services.ok) return problem(services.message, services.hint);
  const { runtimeName, images, lookedAt, sized, complete, hasContentService } = services.value;
  if (runtimeName !== 'containerd') return skipped(`${runtimeName} has none: sizes are what it reports, shared layers are not known`);
  if (!hasContentService) {
    return warning(
      "containerd's own services do not answer at this socket: what images share on disk, and whether they are whole, is not known",
      'Name the socket of containerd itself, not of a proxy that lets only CRI through.',
    );
  }
  if (images === 0) return ok("containerd's own services answer; there is no image to look at");
  if (sized < lookedAt) {
    return warning(
      `The sizes on disk of ${String(lookedAt - sized)} of ${countOf(lookedAt, 'image')} are not known`,
      'Their estimates count what the runtime reports. See the log of containerd for its snapshotter.',
    );
  }
  if (scans && complete < lookedAt) {
    return warning(
      `${String(lookedAt - complete)} of ${countOf(lookedAt, 'image')} looked at are not whole in the content store: they cannot be scanned, and stay`,
      'Set `discard_unpacked_layers = false` in the configuration of containerd and pull them again, or remove them without a scan.',
    );
  }
  return ok(`Sizes on disk and completeness are known, by ${countOf(lookedAt, 'image')} of ${String(images)}`);
}

/** Of its capacity, as the kubelet reckons it: what is not available is used. */
export function usedPercent({ capacityBytes, availableBytes }: FilesystemUsage): number {
  return capacityBytes === 0 ? 0 : ((capacityBytes - availableBytes) / capacityBytes) * 100;
}

/** The kubelet's own threshold is 85 %. */
const FULL_PERCENT = 90;

export function judgeImageFilesystem(filesystem: Attempt<FilesystemUsage | null> | null): Finding {
  if (filesystem === null) return skipped('Needs the container runtime');
  if (!filesystem.ok) return problem(filesystem.message, filesystem.hint);
  if (filesystem.value === null) {
    return warning(
      'The filesystem that holds the images cannot be seen from here: how full it is, is not known',
      'In a container, mount it at the same path; --disk-high needs it.',
    );
  }
  const { mountpoint, capacityBytes, availableBytes } = filesystem.value;
  const percent = usedPercent(filesystem.value);
  const found = `${mountpoint}: ${formatBytes(capacityBytes - availableBytes)} of ${formatBytes(capacityBytes)} used (${percent.toFixed(1)} %)`;
  return percent < FULL_PERCENT ? ok(found) : warning(found, 'Clean up: look at the plan with `image-cleaner clean --dry-run`.');
}

/** What Eraser's worker pods are made of. */
const ERASER_CONTAINERS = ['collector', 'remover', 'trivy-scanner'];

export function judgeEraser(containers: Attempt<readonly NodeContainer[]> | null): Finding {
  if (containers === null) return skipped('Needs the container runtime');
  if (!containers.ok) return skipped(`The containers cannot be listed: ${containers.message}`);
  const workers = containers.value.filter(
    ({ state, name, podName, imageReferences }) =>
      (state === 'running' || state === 'created') &&
      ERASER_CONTAINERS.includes(name) &&
      (podName.startsWith('eraser-') || imageReferences.some((reference) => reference.includes('eraser'))),
  );
  const [worker] = workers;
  if (worker === undefined) return ok('No worker of Eraser runs on this node now');
  return warning(
    `Eraser works on this node: pod ${worker.podNamespace}/${worker.podName}, container ${worker.name}`,
    'Both remove images, each by its own rules: uninstall Eraser (on AKS: `az aks update --disable-image-cleaner`), or let only it clean.',
  );
}
