import { defineConfig } from 'vitest/config';

/** Three projects, which `npm test -- cluster` runs. */
const CLUSTER_FILES = {
  /** They share three nodes. */
  cluster: ['cluster', 'controller', 'images'],
  /** They share an API server without nodes. */
  'cluster-api': [
    'controller-rules',
    'controller-waves',
    'coordinator',
    'crds',
    'kinds-bad-input',
    'kube',
    'kubectl-plugin',
    'migrate',
    'protections',
    'requests',
  ],
} as const;
const pathsOf = (names: readonly string[]): string[] => names.map((name) => `test/cluster/${name}.test.ts`);
const CLUSTER = { globalSetup: ['test/cluster/global-setup.ts'], testTimeout: 120_000, hookTimeout: 180_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/unit/**/*.test.ts', 'test/model/**/*.test.ts', 'bench/**/*.test.ts'],
          // Else most of the time goes into loading the same modules again for each file: what they keep outlasts no test.
          isolate: false,
          maxWorkers: 2,
          // A limit for what hangs, no measure: two cores may be busy with other work.
          testTimeout: 30_000,
        },
      },
      {
        // Real containerd and Trivy: one file at a time, since the other lane of `npm test` is at work, too.
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/integration/global-setup.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      { test: { ...CLUSTER, name: 'cluster', include: pathsOf(CLUSTER_FILES.cluster), fileParallelism: false } },
      { test: { ...CLUSTER, name: 'cluster-api', include: pathsOf(CLUSTER_FILES['cluster-api']), fileParallelism: false } },
      // Each has what it needs to itself, and breaks it.
      {
        test: {
          ...CLUSTER,
          name: 'cluster-own',
          include: ['test/cluster/**/*.test.ts'],
          exclude: pathsOf(Object.values(CLUSTER_FILES).flat()),
          fileParallelism: false,
        },
      },
      {
        // Image Cleaner itself, installed on a real Kubernetes: one at a time.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/e2e/global-setup.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
