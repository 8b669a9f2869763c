import type { ScanPolicy } from '../api/scan-policy.ts';
import type { Coordinator } from './ports.ts';

/**
 * For an automatic run without a coordinator, when that is asked for: no image has an age or a verdict from elsewhere, nothing in the cluster
 * protects one but the containers of its node, and the logs and the exit code are all that is left of the run.
 */
export function loneCoordinator(scanPolicy: ScanPolicy | null): Coordinator {
  return {
    readTask: () => Promise.resolve({ scanPolicy, minAgeMs: 0, maxAgeMs: null, diskLimits: null, protections: [] }),
    reportInventory: () => Promise.resolve(new Map()),
    exchangeScans: () => Promise.resolve({ results: [], leased: [], elsewhere: [], rest: [] }),
    listPendingPods: () => Promise.resolve([]),
    reportResult: () => Promise.resolve(),
  };
}
