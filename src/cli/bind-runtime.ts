import { realpath } from 'node:fs/promises';
import { connectToRuntime } from '../cri/connect-to-runtime.ts';
import { findRuntimeEndpoint } from '../cri/find-runtime-endpoint.ts';
import type { NodeRuntime } from '../engine/ports.ts';
import type { CliContext } from './context.ts';
import type { RuntimeOptions } from './parsed-options.ts';

/** This machine's container runtime, connected. */
export interface BoundNode {
  readonly runtime: NodeRuntime;
  readonly socketPath: string;
  /** `unix:///run/containerd/containerd.sock`. */
  readonly endpoint: string;
  /** `containerd`, `cri-o`. */
  readonly runtimeName: string;
}

export async function findSocket(context: CliContext, options: RuntimeOptions): Promise<string> {
  const { socketPath } = await findRuntimeEndpoint({
    endpoint: options.runtimeEndpoint,
    environmentEndpoint: context.env['CONTAINER_RUNTIME_ENDPOINT'],
  });
  // Of one socket under several names, one history.
  return realpath(socketPath).catch(() => socketPath);
}

/** Finds the runtime's socket, connects, does the work, and closes the connection whatever comes of it. */
export async function withNode<T>(context: CliContext, options: RuntimeOptions, work: (node: BoundNode) => Promise<T>): Promise<T> {
  return withNodeAt(context, await findSocket(context, options), work);
}

export async function withNodeAt<T>(context: CliContext, socketPath: string, work: (node: BoundNode) => Promise<T>): Promise<T> {
  const runtime = await connectToRuntime({ socketPath }, context.signal);
  try {
    return await work({ runtime, socketPath, endpoint: endpointOf(socketPath), runtimeName: runtime.probed.name });
  } finally {
    runtime.close();
  }
}

export function endpointOf(socketPath: string): string {
  return `unix://${socketPath}`;
}
