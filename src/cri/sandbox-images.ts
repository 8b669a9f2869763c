import type { SandboxImageReferences } from '../api/inventory.ts';
import { isNotFound } from './cri-error.ts';
import { mapConcurrently, RUNTIME_CONCURRENCY } from './map-concurrently.ts';
import type { RuntimeConnection } from './runtime-connection.ts';
import { configuredSandboxImage, sandboxImage } from './verbose-info.ts';

/** The sandbox image of the runtime's configuration and those of the sandboxes, each asked about once: it does not change in a sandbox's life. */
export class SandboxImages {
  readonly #connection: RuntimeConnection;
  /** By sandbox id. */
  #known: ReadonlyMap<string, string> = new Map();

  constructor(connection: RuntimeConnection) {
    this.#connection = connection;
  }

  /**
   * The image of the runtime's configuration, as containerd before 2.0 and CRI-O tell it, and those of the sandboxes that exist: an older one may
   * still be in use, and containerd 2 names it there only.
   */
  async read(signal: AbortSignal): Promise<SandboxImageReferences> {
    const connection = this.#connection;
    const status = await connection.call('Status', signal, (options) => connection.runtime.status({ verbose: true }, options));
    const configured = configuredSandboxImage(status.info['config']);
    const sandboxes = await connection.call('ListPodSandbox', signal, (options) => connection.runtime.listPodSandbox({}, options));
    const known = this.#known;
    const used = await mapConcurrently(
      sandboxes.items,
      RUNTIME_CONCURRENCY,
      signal,
      async ({ id }, either) => [id, known.get(id) ?? (await readSandboxImage(connection, id, either))] as const,
    );
    this.#known = new Map(used.flatMap(([id, reference]) => (reference === null ? [] : [[id, reference]])));
    const references = new Set([configured, ...this.#known.values()].filter((reference) => reference !== null && reference !== ''));
    return references.size === 0 ? null : ([...references] as string[]);
  }
}

async function readSandboxImage(connection: RuntimeConnection, podSandboxId: string, signal: AbortSignal): Promise<string | null> {
  try {
    const answer = await connection.call('PodSandboxStatus', signal, (options) =>
      connection.runtime.podSandboxStatus({ podSandboxId, verbose: true }, options),
    );
    return sandboxImage(answer.info['info']);
  } catch (error) {
    // Removed since it was listed.
    if (isNotFound(error)) return null;
    throw error;
  }
}
