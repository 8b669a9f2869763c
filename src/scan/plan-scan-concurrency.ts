export interface ScanResources {
  /** Bytes that all scanner processes together may use; null: no limit. */
  readonly memoryLimitBytes: number | null;
  readonly cpus: number;
  /** Bytes that one scanner process may use. */
  readonly perProcessBytes: number;
}

/** How many scanner processes may run at once: no more than fit into the memory, nor than there are processors; never less than one. */
export function planScanConcurrency(resources: ScanResources): number {
  const { memoryLimitBytes, cpus, perProcessBytes } = resources;
  const fitting = memoryLimitBytes === null || perProcessBytes <= 0 ? Infinity : Math.floor(memoryLimitBytes / perProcessBytes);
  return Math.max(1, Math.min(fitting, Math.floor(cpus)));
}
