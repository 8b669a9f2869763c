import { stat } from 'node:fs/promises';
import { readCrictlEndpoint } from './crictl-config.ts';
import { CriError } from './cri-error.ts';
import { parseEndpoint } from './parse-endpoint.ts';

export interface RuntimeEndpoint {
  readonly socketPath: string;
  /** What named it: `as given`, `CONTAINER_RUNTIME_ENDPOINT`, the path of crictl's configuration, or `found`. */
  readonly source: string;
}

export interface FindRuntimeEndpointOptions {
  /** What the user named: `unix:///run/crio/crio.sock`, or a path. */
  readonly endpoint?: string | undefined;
  /** The value of CONTAINER_RUNTIME_ENDPOINT. */
  readonly environmentEndpoint?: string | undefined;
  readonly crictlConfigPath?: string;
  /** Tried in order. */
  readonly defaultSockets?: readonly string[];
}

const CRICTL_CONFIG_PATH = '/etc/crictl.yaml';

/** As crictl has them. */
const DEFAULT_SOCKETS: readonly string[] = ['/run/containerd/containerd.sock', '/run/crio/crio.sock', '/var/run/cri-dockerd.sock'];

/** The runtime's socket, found as crictl finds it: option, environment, crictl's configuration, the first default that exists. */
export async function findRuntimeEndpoint(options: FindRuntimeEndpointOptions): Promise<RuntimeEndpoint> {
  const { endpoint, environmentEndpoint, crictlConfigPath = CRICTL_CONFIG_PATH, defaultSockets = DEFAULT_SOCKETS } = options;
  const named = (text: string, source: string): RuntimeEndpoint => ({ socketPath: parseEndpoint(text, source), source });
  if (isGiven(endpoint)) return named(endpoint, 'as given');
  if (isGiven(environmentEndpoint)) return named(environmentEndpoint, 'CONTAINER_RUNTIME_ENDPOINT');
  const configured = await readCrictlEndpoint(crictlConfigPath);
  if (configured !== undefined) return named(configured, crictlConfigPath);
  for (const socketPath of defaultSockets) {
    if (await isSocket(socketPath)) return { socketPath, source: 'found' };
  }
  throw new CriError({
    code: 'no-endpoint',
    message: `No container runtime found: there is no socket at ${defaultSockets.join(', ')}`,
    hint: `Start the runtime, or name its socket (an option, CONTAINER_RUNTIME_ENDPOINT, or runtime-endpoint in ${crictlConfigPath}). As another user than root the socket may be hidden.`,
  });
}

function isGiven(endpoint: string | undefined): endpoint is string {
  return endpoint !== undefined && endpoint !== '';
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    return false;
  }
}
