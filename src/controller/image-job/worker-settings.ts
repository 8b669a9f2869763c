import type { RunSettings } from '../../api/coordinator/settings-call.ts';
import { scanPolicyOf } from '../../api/eraser-config/scan-policy-of.ts';
import type { Run } from './run.ts';

/** What the coordinator tells the workers of a run, all of it frozen when the run began. */
export function workerSettingsOf({ configuration, protections }: Pick<Run, 'configuration' | 'protections'>): RunSettings {
  const policy = scanPolicyOf(configuration.config);
  return {
    scanPolicy:
      policy === null
        ? null
        : {
            ...policy,
            severities: [...policy.severities],
            packageClasses: [...policy.packageClasses],
            ignoredStatuses: [...policy.ignoredStatuses],
            ignoredVulnerabilities: [...policy.ignoredVulnerabilities],
          },
    minAgeMs: 0,
    maxAgeMs: null,
    diskLimits: null,
    protections: protections.map(({ object, imageReferences }) => ({ object: { ...object }, imageReferences: [...imageReferences] })),
  };
}
