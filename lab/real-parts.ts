import { inject } from 'vitest';
import { LabError, requireRoot } from './lab-error.ts';
import type { OnProgress } from './tools.ts';
import { ensureContainerd, ensureFakeClock, ensureHelm, ensurePostgres, ensureTrivy } from './tools.ts';

/** What an integration test may depend on. */
export const REAL_PARTS = ['containerd-debian', 'containerd-v2', 'trivy', 'fake-clock', 'helm', 'postgres'] as const;
export type RealPart = (typeof REAL_PARTS)[number];

/** Why a part can't be had on this machine; null: it can. */
export type MissingParts = Readonly<Record<RealPart, string | null>>;

declare module 'vitest' {
  interface ProvidedContext {
    missingParts: MissingParts;
  }
}

/** For `describe.skipIf(lacksRealPart('trivy'))`; the global setup has printed why. */
export function lacksRealPart(part: RealPart): boolean {
  return inject('missingParts')[part] !== null;
}

/** Fetches or builds every part, one after the other. */
export async function ensureRealParts(onProgress: OnProgress): Promise<MissingParts> {
  const reason = async (ensure: () => Promise<string | null>): Promise<string | null> => {
    try {
      return await ensure();
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      return error.hint === undefined ? error.message : `${error.message} ${error.hint}`;
    }
  };
  const containerd = async (version: 'debian' | 'v2'): Promise<null> => {
    requireRoot('A test on a real containerd');
    await ensureContainerd(version, onProgress);
    return null;
  };
  return {
    'containerd-debian': await reason(() => containerd('debian')),
    'containerd-v2': await reason(() => containerd('v2')),
    trivy: await reason(async () => {
      const trivy = await ensureTrivy(onProgress);
      return trivy.kind === 'found' ? null : trivy.reason;
    }),
    'fake-clock': await reason(async () => {
      await ensureFakeClock(onProgress);
      return null;
    }),
    helm: await reason(async () => {
      await ensureHelm(onProgress);
      return null;
    }),
    postgres: await reason(async () => {
      requireRoot('A test on a real PostgreSQL', 'it gives it an unprivileged user of its own');
      await ensurePostgres(onProgress);
      return null;
    }),
  };
}
