import type { IgnoredVulnerability, ScanPolicy } from '../api/scan-policy.ts';
import type { PolicyOptions } from './parsed-options.ts';

export async function readScanPolicy(options: PolicyOptions): Promise<ScanPolicy> {
  return {
    severities: options.severity,
    packageClasses: options.pkgTypes,
    ignoreUnfixed: options.ignoreUnfixed,
    ignoredStatuses: options.ignoreStatus,
    ignoredVulnerabilities: options.ignorefile === undefined ? [] : await readIgnoreFile(options.ignorefile),
    removeEndOfLife: !options.keepEndOfLife,
    removeUnscannable: !options.keepUnscannable,
  };
}

/** What reads YAML is loaded only where there is some. */
async function readIgnoreFile(path: string): Promise<IgnoredVulnerability[]> {
  return (await import('./read-ignore-file.ts')).readIgnoreFile(path);
}
