import { CriRuntime } from './cri-runtime.ts';
import { probeRuntime } from './probe-runtime.ts';
import { RuntimeConnection, type RuntimeConnectionOptions } from './runtime-connection.ts';

/**
 * Connects to the container runtime at a socket and makes sure that it is one. Throws a CriError at once when it is not; later calls
 * survive a restart of the runtime.
 */
export async function connectToRuntime(options: RuntimeConnectionOptions, signal: AbortSignal): Promise<CriRuntime> {
  const connection = new RuntimeConnection(options);
  try {
    return new CriRuntime(connection, await probeRuntime(connection, signal));
  } catch (error) {
    connection.close();
    throw error;
  }
}
