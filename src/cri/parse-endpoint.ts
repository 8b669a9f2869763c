import { CriError } from './cri-error.ts';

/** The socket's path in `unix:///run/containerd/containerd.sock`, `unix:/…` or the path alone. `source` is for the error message. */
export function parseEndpoint(endpoint: string, source: string): string {
  const path = endpoint.replace(/^unix:(\/\/)?/, '');
  const fault = findFault(endpoint, path);
  if (fault === null) return path;
  throw new CriError({
    code: 'invalid-endpoint',
    message: `The container runtime endpoint ${JSON.stringify(endpoint)} (${source}) cannot be used: ${fault}`,
    hint: 'Give a unix socket, such as unix:///run/containerd/containerd.sock.',
  });
}

/** Linux has room for this many bytes in the address of a socket (unix(7)). */
const PATH_BYTES_MAX = 107;

function findFault(endpoint: string, path: string): string | null {
  if (!path.startsWith('/')) {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(endpoint)?.[1];
    return scheme === undefined || scheme === 'unix' ? 'the path is not absolute' : `"${scheme}" is not supported`;
  }
  const bytes = new TextEncoder().encode(path).length;
  return bytes > PATH_BYTES_MAX ? `the path is ${String(bytes)} bytes long, and that of a socket at most ${String(PATH_BYTES_MAX)}` : null;
}
