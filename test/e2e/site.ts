import { inject } from 'vitest';
import { Installation, type InspectedNode, type InstallationParts } from '../../lab/installation.ts';
import './prepared.ts';

export { AUTOMATIC, MANUAL, type Installation, type InspectedNode } from '../../lab/installation.ts';

export const SOON = { timeout: 90_000, interval: 200 };

/** For `describe.skipIf(lacksCluster())`; the global set-up has printed why. */
export function lacksCluster(): boolean {
  return inject('missing') !== null;
}

/** The shared cluster, unless it is a test's own. */
export function connectSite(parts: Partial<InstallationParts> = {}): Promise<Installation> {
  return Installation.connect({ ...inject('prepared'), ...parts });
}

/** Where one is enough. */
export function firstNode({ nodes: [first] }: Installation): InspectedNode {
  if (first === undefined) throw new Error('no node');
  return first;
}
