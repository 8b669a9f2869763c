import type { NodeContainer } from '../api/inventory.ts';
import { isNotFound } from './cri-error.ts';
import type { Container } from './gen/cri_pb.js';
import { mapConcurrently, RUNTIME_CONCURRENCY } from './map-concurrently.ts';
import { mapContainer, podFromLabels, type PodName, volumeImageReferences } from './map-container.ts';
import type { RuntimeConnection } from './runtime-connection.ts';

/**
 * Lists containers with what the list itself does not tell: the images they mount, and their pods. Neither changes in a container's
 * life, so that listing again, as before every removal, asks only about containers that are new.
 */
export class ContainerLister {
  readonly #connection: RuntimeConnection;
  #volumes = new Map<string, readonly string[]>();
  #pods = new Map<string, PodName>();

  constructor(connection: RuntimeConnection) {
    this.#connection = connection;
  }

  /** All containers in every state, or a rejection: never a part of them. */
  async list(signal: AbortSignal): Promise<NodeContainer[]> {
    const containers = await this.#listContainers({}, signal);
    const volumes = await mapConcurrently(containers, RUNTIME_CONCURRENCY, signal, (container, either) =>
      this.#readVolumes(container.id, either),
    );
    const pods = await this.#readPods(containers, signal);
    const known = new Map<string, readonly string[]>();
    const mapped: NodeContainer[] = [];
    for (const [index, container] of containers.entries()) {
      const mounted = volumes[index];
      if (mounted === undefined || mounted === 'gone') continue;
      known.set(container.id, mounted);
      mapped.push(mapContainer(container, pods.get(container.podSandboxId) ?? podFromLabels(container.labels), mounted));
    }
    this.#volumes = known;
    this.#pods = pods;
    return mapped;
  }

  async #listContainers(filter: { readonly id?: string }, signal: AbortSignal): Promise<Container[]> {
    const { runtime } = this.#connection;
    const answer = await this.#connection.call('ListContainers', signal, (options) => runtime.listContainers({ filter }, options));
    return answer.containers;
  }

  async #readVolumes(containerId: string, signal: AbortSignal): Promise<readonly string[] | 'gone'> {
    const known = this.#volumes.get(containerId);
    if (known !== undefined) return known;
    const { runtime } = this.#connection;
    try {
      const answer = await this.#connection.call('ContainerStatus', signal, (options) => runtime.containerStatus({ containerId }, options));
      return volumeImageReferences(answer.status?.mounts ?? []);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // Removed between the two calls, unless the list still has it: then the runtime contradicts itself.
      const still = await this.#listContainers({ id: containerId }, signal);
      if (still.some((container) => container.id === containerId)) throw error;
      return 'gone';
    }
  }

  /** By sandbox id, for the containers' sandboxes only. A sandbox can be gone before its containers: their labels tell the pod then. */
  async #readPods(containers: readonly Container[], signal: AbortSignal): Promise<Map<string, PodName>> {
    const listed = new Map<string, PodName>();
    if (containers.some((container) => !this.#pods.has(container.podSandboxId))) {
      const { runtime } = this.#connection;
      const answer = await this.#connection.call('ListPodSandbox', signal, (options) => runtime.listPodSandbox({}, options));
      for (const { id, metadata } of answer.items) {
        if (metadata !== undefined) listed.set(id, { namespace: metadata.namespace, name: metadata.name });
      }
    }
    const pods = new Map<string, PodName>();
    for (const { podSandboxId, labels } of containers) {
      pods.set(podSandboxId, this.#pods.get(podSandboxId) ?? listed.get(podSandboxId) ?? podFromLabels(labels));
    }
    return pods;
  }
}
