import { dirname, join } from 'node:path';
import type { DistributionTools, OnProgress, PostgresTools } from './debian-tools.ts';
import { ensureDistributionTools, ensureFakeClock, ensurePostgres, onPath } from './debian-tools.ts';
import { CONTAINERD_V2, HELM, KWOK, TRIVY, ensureGoTool } from './go-tools.ts';
import { LabError } from './lab-error.ts';
import { runCommand } from './run-command.ts';

export type { DistributionTools, OnProgress, PostgresTools };
export { ensureDistributionTools, ensureFakeClock, ensurePostgres };

/** `debian`: what the distribution packages (1.6 on Debian 12); `v2`: containerd 2.2, built from source. */
export const CONTAINERD_VERSIONS = ['debian', 'v2'] as const;
export type ContainerdVersion = (typeof CONTAINERD_VERSIONS)[number];

export interface ContainerdTools {
  readonly containerd: string;
  readonly ctr: string;
  /** Holds containerd-shim-runc-v2. */
  readonly directory: string;
  readonly runc: string;
}

const silent: OnProgress = () => undefined;

/** containerd of the given version with runc, fetched or built into the cache when needed. Throws `tool-missing` with the reason. */
export async function ensureContainerd(version: ContainerdVersion, onProgress: OnProgress = silent): Promise<ContainerdTools> {
  const distribution = await ensureDistributionTools(onProgress);
  const { runc } = distribution;
  if (version === 'debian') {
    return { containerd: distribution.containerd, ctr: distribution.ctr, directory: dirname(distribution.containerd), runc };
  }
  const directory = await ensureGoTool(CONTAINERD_V2, onProgress);
  return { containerd: join(directory, 'containerd'), ctr: join(directory, 'ctr'), directory, runc };
}

/** What the binary calls itself: `1.6.20`, `2.2.3`. */
export async function containerdRelease(tools: ContainerdTools): Promise<string> {
  return /\sv?(\d+\.\d+\.\d+)/.exec(await runCommand(tools.containerd, ['--version']))?.[1] ?? '0.0.0';
}

/** A statically linked busybox. */
export async function ensureBusybox(onProgress: OnProgress = silent): Promise<string> {
  return (await ensureDistributionTools(onProgress)).busybox;
}

/** Helm, built into the cache when it isn't there. Throws `tool-missing` with the reason. */
export async function ensureHelm(onProgress: OnProgress = silent): Promise<string> {
  return join(await ensureGoTool(HELM, onProgress), 'helm');
}

/** kwok, built into the cache when it isn't there. Throws `tool-missing` with the reason. */
export async function ensureKwok(onProgress: OnProgress = silent): Promise<string> {
  return join(await ensureGoTool(KWOK, onProgress), 'kwok');
}

export type TrivyTool = { readonly kind: 'found'; readonly path: string } | { readonly kind: 'missing'; readonly reason: string };

/** Trivy: the one on PATH, else the one in the cache, else built into it; `missing` when it can't be. */
export async function ensureTrivy(onProgress: OnProgress = silent): Promise<TrivyTool> {
  const installed = onPath('trivy');
  if (installed !== null) return { kind: 'found', path: installed };
  try {
    return { kind: 'found', path: join(await ensureGoTool(TRIVY, onProgress), 'trivy') };
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    return { kind: 'missing', reason: error.hint === undefined ? error.message : `${error.message} ${error.hint}` };
  }
}
