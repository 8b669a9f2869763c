import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planScanConcurrency } from './plan-scan-concurrency.ts';

const MiB = 1024 * 1024;

describe('planScanConcurrency', () => {
  it.each([
    { memoryLimitBytes: 2048 * MiB, cpus: 8, perProcessBytes: 512 * MiB, processes: 4 },
    { memoryLimitBytes: 2047 * MiB, cpus: 8, perProcessBytes: 512 * MiB, processes: 3 },
    { memoryLimitBytes: 2048 * MiB, cpus: 2, perProcessBytes: 512 * MiB, processes: 2 },
    { memoryLimitBytes: 100 * MiB, cpus: 8, perProcessBytes: 512 * MiB, processes: 1 },
    { memoryLimitBytes: null, cpus: 3, perProcessBytes: 512 * MiB, processes: 3 },
    { memoryLimitBytes: null, cpus: 0.5, perProcessBytes: 512 * MiB, processes: 1 },
  ])('$processes for $memoryLimitBytes bytes and $cpus processors', ({ processes, ...resources }) => {
    expect(planScanConcurrency(resources)).toBe(processes);
  });

  it('never exceeds the memory unless one process alone does', () => {
    fc.assert(
      fc.property(fc.nat(64_000), fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 4_000 }), (memory, cpus, perProcess) => {
        const processes = planScanConcurrency({ memoryLimitBytes: memory, cpus, perProcessBytes: perProcess });
        expect(processes).toBeGreaterThanOrEqual(1);
        expect(processes === 1 || processes * perProcess <= memory).toBe(true);
      }),
    );
  });
});
