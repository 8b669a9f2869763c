import { withoutWildcards } from './exclusion-glob.ts';

/** A host with its port, if any, and what makes it a pattern: any port or tag (`:*`), or more of the same beginning (`*`). */
const HOST_AND_PORT = /^([^:]+?)(?::(\d+|\*+))?(?<=[^.])\**$/;

/** A name of a host in a domain. Its last label begins with a letter and is two or more long, unlike the one of `python3.11`. */
const HOST = /^(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z0-9]$/i;
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** No registry listens below: what is less, as in `my.app:2`, is a tag. */
const LEAST_PORT = 80;
const GREATEST_PORT = 65_535;

/**
 * The registry that an entry without a `/` looks like, with its port, although it would be read as a repository of Docker Hub, and then
 * protect nothing: `ghcr.io`, `ghcr.io*`, `ghcr.io:*` and `*.azurecr.io` do, and `localhost:5000`. null: it looks like none, as `nginx:1.25`,
 * `host:5000` (which has no domain) and `my.app:20240101` (no port is that great). Where both could be meant, as by `my.app:8080`, it does.
 */
export function findLoneRegistry(entry: string): string | null {
  const [, host = '', port = ''] = HOST_AND_PORT.exec(entry) ?? [];
  if (!isHost(host)) return null;
  if (!/^\d/.test(port)) return host;
  const isPort = !port.startsWith('0') && Number(port) >= LEAST_PORT && Number(port) <= GREATEST_PORT;
  return isPort ? `${host}:${port}` : null;
}

function isHost(text: string): boolean {
  if (text === 'localhost' || IPV4.test(withoutWildcards(text))) return true;
  // A star may stand for more than one letter: `ghcr.*` is meant for `ghcr.io`.
  return HOST.test(text.replaceAll('*', 'aa').replaceAll('?', 'a'));
}
