import { access, constants } from 'node:fs/promises';
import type { FilesystemUsage, NodeContainer, NodeImage, RuntimeVersion } from '../../api/inventory.ts';
import { connectToRuntime } from '../../cri/connect-to-runtime.ts';
import type { CriRuntime } from '../../cri/cri-runtime.ts';
import { findRuntimeEndpoint } from '../../cri/find-runtime-endpoint.ts';
import type { CliContext } from '../context.ts';
import type { RuntimeOptions } from '../parsed-options.ts';
import { attempt, type Attempt } from './attempt.ts';
import type { RuntimeContact, ServicesFacts } from './judge-runtime.ts';

/** All that the checks ask the runtime for. */
export interface RuntimeFacts {
  readonly contact: Attempt<RuntimeContact>;
  /** null: none was found. */
  readonly socket: { readonly path: string; readonly isAccessible: boolean } | null;
  /** null: no contact. */
  readonly details: RuntimeDetails | null;
}

export interface RuntimeDetails {
  readonly version: RuntimeVersion;
  readonly services: Attempt<ServicesFacts>;
  readonly filesystem: Attempt<FilesystemUsage | null>;
  readonly containers: Attempt<readonly NodeContainer[]>;
  /** null: unknown. */
  readonly images: readonly NodeImage[] | null;
  /** null: unknown. */
  readonly largestImageBytes: number | null;
}

/** A person waits; a runtime that takes longer is not well. Milliseconds. */
const PATIENCE = { deadlineMs: 10_000, retryBudgetMs: 2_000 };

/** Throws only the reason of the signal. */
export async function readRuntime({ env, signal }: CliContext, { runtimeEndpoint }: RuntimeOptions): Promise<RuntimeFacts> {
  const endpoint = await attempt(signal, () =>
    findRuntimeEndpoint({ endpoint: runtimeEndpoint, environmentEndpoint: env['CONTAINER_RUNTIME_ENDPOINT'] }),
  );
  if (!endpoint.ok) return { contact: endpoint, socket: null, details: null };
  const { socketPath, source } = endpoint.value;
  const socket = await readSocket(socketPath);
  const connected = await attempt(signal, () => connectToRuntime({ socketPath, ...PATIENCE }, signal));
  if (!connected.ok) return { contact: connected, socket, details: null };
  const runtime = connected.value;
  try {
    const version = await attempt(signal, () => runtime.version(signal));
    if (!version.ok) return { contact: version, socket, details: null };
    const contact = { ok: true, value: { socketPath, source, version: version.value } } as const;
    return { contact, socket, details: await readDetails(runtime, version.value, signal) };
  } finally {
    runtime.close();
  }
}

/** null: there is nothing at this path. */
async function readSocket(path: string): Promise<RuntimeFacts['socket']> {
  const may = (mode: number): Promise<boolean> =>
    access(path, mode).then(
      () => true,
      () => false,
    );
  return (await may(constants.F_OK)) ? { path, isAccessible: await may(constants.R_OK | constants.W_OK) } : null;
}

async function readDetails(runtime: CriRuntime, version: RuntimeVersion, signal: AbortSignal): Promise<RuntimeDetails> {
  const images = await attempt(signal, () => runtime.listImages(signal));
  const services = images.ok ? await attempt(signal, () => readServices(runtime, images.value, { version, signal })) : images;
  return {
    version,
    services,
    filesystem: await attempt(signal, () => runtime.imageFilesystem(signal)),
    containers: await attempt(signal, () => runtime.listContainers(signal)),
    images: images.ok ? images.value : null,
    largestImageBytes: images.ok ? Math.max(0, ...images.value.map(({ sizeBytes }) => sizeBytes)) : null,
  };
}

/** Enough to see what the node's images are like. */
const LOOKED_AT = 20;
/** No image has it; whether there is a content store, the question itself tells. */
const NO_IMAGE = `sha256:${'0'.repeat(64)}`;

interface Asked {
  readonly version: RuntimeVersion;
  readonly signal: AbortSignal;
}

async function readServices(runtime: CriRuntime, images: readonly NodeImage[], { version, signal }: Asked): Promise<ServicesFacts> {
  const ids = images.slice(0, LOOKED_AT).map(({ id }) => id);
  const storage = await runtime.imageStorage(ids, signal);
  const whole: (boolean | null)[] = [];
  for (const id of ids.length === 0 ? [NO_IMAGE] : ids) whole.push(await runtime.isContentComplete(id, signal));
  return {
    runtimeName: version.name,
    images: images.length,
    lookedAt: ids.length,
    sized: ids.filter((id) => (storage.get(id) ?? []).some(({ key }) => key.startsWith('snapshot:'))).length,
    complete: whole.filter((isWhole) => isWhole === true).length,
    hasContentService: !whole.includes(null),
  };
}
