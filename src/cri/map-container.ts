import type { ContainerState, NodeContainer } from '../api/inventory.ts';
import { ContainerState as CriState, type Container, type ImageSpec, type Mount } from './gen/cri_pb.js';

export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

const STATES: Record<CriState, ContainerState> = {
  [CriState.CONTAINER_CREATED]: 'created',
  [CriState.CONTAINER_RUNNING]: 'running',
  [CriState.CONTAINER_EXITED]: 'exited',
  [CriState.CONTAINER_UNKNOWN]: 'unknown',
};

export function mapContainer(container: Container, pod: PodName, volumeImageReferences: readonly string[]): NodeContainer {
  return {
    id: container.id,
    name: container.metadata?.name ?? '',
    state: mapState(container.state),
    podNamespace: pod.namespace,
    podName: pod.name,
    imageReferences: distinct([...specReferences(container.image), container.imageRef, container.imageId]),
    volumeImageReferences,
  };
}

/** The images among a container's mounts: empty before CRI 1.31, which brought image volumes. */
export function volumeImageReferences(mounts: readonly Mount[]): string[] {
  return distinct(mounts.flatMap((mount) => specReferences(mount.image)));
}

/** The kubelet labels containers with their pod. */
export function podFromLabels(labels: Readonly<Record<string, string>>): PodName {
  return { namespace: labels['io.kubernetes.pod.namespace'] ?? '', name: labels['io.kubernetes.pod.name'] ?? '' };
}

function specReferences(spec: ImageSpec | undefined): string[] {
  return spec === undefined ? [] : [spec.image, spec.userSpecifiedImage];
}

function distinct(references: readonly string[]): string[] {
  return [...new Set(references.filter((reference) => reference !== ''))];
}

/** An enum of proto3 is open: a state of a later CRI counts as unknown. */
function mapState(state: CriState): ContainerState {
  return (STATES as Partial<Record<number, ContainerState>>)[state] ?? 'unknown';
}
