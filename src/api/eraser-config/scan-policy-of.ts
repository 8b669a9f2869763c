import type { EraserConfig } from '../eraser-config.ts';
import { DEFAULT_SCAN_POLICY, type ScanPolicy } from '../scan-policy.ts';

/** Which findings make an image go, by a configuration; null: its scanner is off. A custom scanner goes by a policy of its own, which none of this is. */
export function scanPolicyOf({ components: { scanner } }: EraserConfig): ScanPolicy | null {
  const { enabled, config } = scanner;
  if (!enabled) return null;
  if (config.kind === 'custom') return DEFAULT_SCAN_POLICY;
  const { vulnerabilities, deleteEOLImages, deleteFailedImages } = config;
  return {
    severities: vulnerabilities.severities,
    packageClasses: vulnerabilities.types,
    ignoreUnfixed: vulnerabilities.ignoreUnfixed,
    ignoredStatuses: vulnerabilities.ignoredStatuses,
    ignoredVulnerabilities: [],
    removeEndOfLife: deleteEOLImages,
    removeUnscannable: deleteFailedImages,
  };
}
