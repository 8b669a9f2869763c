import { CriError } from './cri-error.ts';

/** The socket's path in `unix:///run/containerd/containerd.sock`, `unix:/…` or the path alone. `source` is for the error message. */
export function parseEndpoint(endpoint: string, source: string): string {
  const path = endpoint.replace(/^unix:(\/\/)?/, '');
  if (path.startsWith('/')) return path;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(endpoint)?.[1];
  const reason = scheme === undefined || scheme === 'unix' ? 'the path is not absolute' : `"${scheme}" is not supported`;
  throw new CriError({
    code: 'invalid-endpoint',
    message: `The container runtime endpoint ${JSON.stringify(endpoint)} (${source}) cannot be used: ${reason}`,
    hint: 'Give a unix socket, such as unix:///run/containerd/containerd.sock.',
  });
}
