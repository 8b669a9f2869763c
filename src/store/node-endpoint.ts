const SCHEME = 'node://';

/**
 * What a node of a cluster is called where a machine's history has the endpoint of a runtime: ages belong to one of them. A runtime's own begins
 * with `unix://`.
 */
export function nodeEndpoint(node: string): string {
  return `${SCHEME}${node}`;
}

export function isNodeEndpoint(endpoint: string): boolean {
  return endpoint.startsWith(SCHEME);
}
