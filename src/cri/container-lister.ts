import type { NodeContainer } from '../api/inventory.ts';
import { readOtherContainers } from './containerd-containers.ts';
import { CriError, isNotFound } from './cri-error.ts';
import type { Container } from './gen/cri_pb.js';
import { mapConcurrently, RUNTIME_CONCURRENCY } from './map-concurrently.ts';
import { mapContainer, podFromLabels, type PodName, volumeImageReferences } from './map-container.ts';
import type { RuntimeConnection } from './runtime-connection.ts';

/** Two are the rule at first, one later. So many mean that containers come faster than the runtime answers. */
const MAX_LISTS = 50;

/**
 * Lists containers with what the list itself does not tell: the images they mount, and their pods. Neither changes in a container's
 * life, so that listing again, as before every removal, asks only about containers that are new.
 */
export class ContainerLister {
  readonly #connection: RuntimeConnection;
  readonly #isContainerd: boolean;
  #known: Known = { volumes: new Map(), pods: new Map() };

  constructor(connection: RuntimeConnection, isContainerd: boolean) {
    this.#connection = connection;
    this.#isContainerd = isContainerd;
  }

  /**
   * All containers in every state, or a rejection: never a part of them. As they are now: to ask about new ones takes time, in which further
   * ones may come, so the list is read again until it has none that is new. On containerd, those made beside the CRI come last.
   */
  async list(signal: AbortSignal): Promise<NodeContainer[]> {
    const known = { volumes: new Map(this.#known.volumes), pods: new Map(this.#known.pods) };
    let vanished: ReadonlyMap<string, unknown> = new Map();
    for (let lists = 0; lists < MAX_LISTS; lists++) {
      const others = this.#isContainerd ? await readOtherContainers(this.#connection, signal) : [];
      const containers = await this.#listContainers(signal);
      for (const { id } of containers) {
        // The runtime lists what it says it does not have.
        if (vanished.has(id)) throw vanished.get(id);
      }
      const fresh = containers.filter(({ id }) => !known.volumes.has(id));
      if (fresh.length === 0) {
        this.#known = onlyOf(known, containers);
        return [...mapContainers(containers, known), ...others];
      }
      vanished = await this.#readVolumes(fresh, known.volumes, signal);
      await this.#readPods(fresh, known.pods, signal);
    }
    throw new CriError({
      code: 'call-failed',
      action: 'retry',
      message: `ListContainers: the container runtime at ${this.#connection.socketPath} had new containers in each of ${MAX_LISTS} lists`,
      hint: 'Try again when fewer containers are being made, or see the log of the container runtime.',
    });
  }

  async #listContainers(signal: AbortSignal): Promise<Container[]> {
    const { runtime } = this.#connection;
    const answer = await this.#connection.call('ListContainers', signal, (options) => runtime.listContainers({}, options));
    return answer.containers;
  }

  /** Adds the images that the containers mount. Gives those that the runtime does not have any more, with its error. */
  async #readVolumes(
    containers: readonly Container[],
    volumes: Map<string, readonly string[]>,
    signal: AbortSignal,
  ): Promise<Map<string, unknown>> {
    const { runtime } = this.#connection;
    const vanished = new Map<string, unknown>();
    await mapConcurrently(containers, RUNTIME_CONCURRENCY, signal, async ({ id: containerId }, either) => {
      try {
        const answer = await this.#connection.call('ContainerStatus', either, (options) =>
          runtime.containerStatus({ containerId }, options),
        );
        volumes.set(containerId, volumeImageReferences(answer.status?.mounts ?? []));
      } catch (error) {
        if (!isNotFound(error)) throw error;
        vanished.set(containerId, error);
      }
    });
    return vanished;
  }

  /** Adds the pods by sandbox id. A sandbox can be gone before its containers: their labels tell the pod then. */
  async #readPods(containers: readonly Container[], pods: Map<string, PodName>, signal: AbortSignal): Promise<void> {
    if (containers.every(({ podSandboxId }) => pods.has(podSandboxId))) return;
    const { runtime } = this.#connection;
    const answer = await this.#connection.call('ListPodSandbox', signal, (options) => runtime.listPodSandbox({}, options));
    const listed = new Map(answer.items.map(({ id, metadata }) => [id, metadata]));
    for (const { podSandboxId, labels } of containers) {
      if (pods.has(podSandboxId)) continue;
      const metadata = listed.get(podSandboxId);
      pods.set(podSandboxId, metadata === undefined ? podFromLabels(labels) : { namespace: metadata.namespace, name: metadata.name });
    }
  }
}

/** What does not change in a container's life. */
interface Known {
  /** By container id. */
  readonly volumes: ReadonlyMap<string, readonly string[]>;
  /** By sandbox id. */
  readonly pods: ReadonlyMap<string, PodName>;
}

function mapContainers(containers: readonly Container[], { volumes, pods }: Known): NodeContainer[] {
  return containers.map((container) =>
    mapContainer(container, pods.get(container.podSandboxId) ?? podFromLabels(container.labels), volumes.get(container.id) ?? []),
  );
}

function onlyOf(known: Known, containers: readonly Container[]): Known {
  const ids = new Set(containers.map(({ id }) => id));
  const sandboxIds = new Set(containers.map(({ podSandboxId }) => podSandboxId));
  return {
    volumes: new Map([...known.volumes].filter(([id]) => ids.has(id))),
    pods: new Map([...known.pods].filter(([id]) => sandboxIds.has(id))),
  };
}
