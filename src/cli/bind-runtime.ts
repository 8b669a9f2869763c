import { connectToRuntime } from '../cri/connect-to-runtime.ts';
import { findRuntimeEndpoint } from '../cri/find-runtime-endpoint.ts';
import type { NodeRuntime } from '../engine/ports.ts';
import type { CliContext } from './context.ts';
import type { RuntimeOptions } from './parsed-options.ts';

/** This machine's container runtime, connected. */
export interface BoundNode {
  readonly runtime: NodeRuntime;
  readonly socketPath: string;
  /** `containerd`, `cri-o`. */
  readonly runtimeName: string;
}

/** Finds the runtime's socket, connects, does the work, and closes the connection whatever comes of it. */
export async function withNode<T>(context: CliContext, options: RuntimeOptions, work: (node: BoundNode) => Promise<T>): Promise<T> {
  const { socketPath } = await findRuntimeEndpoint({
    endpoint: options.runtimeEndpoint,
    environmentEndpoint: context.env['CONTAINER_RUNTIME_ENDPOINT'],
  });
  const runtime = await connectToRuntime({ socketPath }, context.signal);
  try {
    const { name: runtimeName } = await runtime.version(context.signal);
    return await work({ runtime, socketPath, runtimeName });
  } finally {
    runtime.close();
  }
}
