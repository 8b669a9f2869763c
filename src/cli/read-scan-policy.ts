import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import * as z from 'zod';
import { DEFAULT_SCAN_POLICY, type IgnoredVulnerability, type ScanPolicy } from '../api/scan-policy.ts';
import { errorMessage } from '../platform/errors.ts';
import { badUsage } from './cli-error.ts';
import { describeIssues } from './describe-issues.ts';
import type { PolicyOptions } from './parsed-options.ts';

export async function readScanPolicy(options: PolicyOptions): Promise<ScanPolicy> {
  return {
    ...DEFAULT_SCAN_POLICY,
    severities: options.severity,
    ignoreUnfixed: options.ignoreUnfixed,
    ignoredStatuses: options.ignoreStatus,
    ignoredVulnerabilities: options.ignorefile === undefined ? [] : await readIgnoreFile(options.ignorefile),
    removeEndOfLife: !options.keepEndOfLife,
    removeUnscannable: !options.keepUnscannable,
  };
}

/**
 * Trivy's `.trivyignore.yaml`. Strict: an entry that is narrowed by `paths` or `purls` is refused, since ignoring it for every package would
 * keep more than its author meant, and for none would remove it.
 */
const ignoreFileSchema = z.strictObject({
  vulnerabilities: z.array(
    z.strictObject({
      id: z.string().regex(/^\S+$/, 'an id such as CVE-2024-3094'),
      statement: z.string().default(''),
      expired_at: z.iso.date().or(z.iso.datetime()).optional(),
    }),
  ),
});

async function readIgnoreFile(path: string): Promise<IgnoredVulnerability[]> {
  let content: unknown;
  try {
    content = parse(await readFile(path, 'utf8'), { maxAliasCount: 0 });
  } catch (error) {
    throw badUsage(`--ignorefile ${path} cannot be read as YAML: ${errorMessage(error)}`);
  }
  const file = ignoreFileSchema.safeParse(content);
  if (!file.success) {
    throw badUsage(
      `--ignorefile ${path}: ${describeIssues(file.error)}`,
      'Expected is a list "vulnerabilities" of {id, statement, expired_at: 2027-01-31}.',
    );
  }
  return file.data.vulnerabilities.map(({ id, statement, expired_at }) => ({ id, statement, expiresAt: expired_at ?? null }));
}
