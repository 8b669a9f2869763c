import * as z from 'zod';
import type { IgnoredVulnerability } from '../api/scan-policy.ts';
import { badUsage } from './cli-error.ts';
import { describeIssues } from './describe-issues.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { readInputFile } from './read-input-file.ts';

/**
 * Trivy's `.trivyignore.yaml`. Strict: an entry that is narrowed by `paths` or `purls` is refused, since ignoring it for every package would
 * keep more than its author meant, and for none would remove it.
 */
const ignoreFileSchema = z.strictObject({
  vulnerabilities: z.array(
    z.strictObject({
      id: z.string().regex(/^\S+$/, 'an id such as CVE-2024-3094'),
      statement: z.string().default(''),
      expired_at: z.union([z.iso.date(), z.iso.datetime()], 'a date such as 2027-01-31').optional(),
    }),
  ),
});

/** @throws CliError `bad-usage` */
export async function readIgnoreFile(path: string): Promise<IgnoredVulnerability[]> {
  const yaml = parseYaml(await readInputFile('--ignorefile', path, FILE_BYTES_MAX), TOKENS_MAX);
  if (!yaml.ok) throw badUsage(`--ignorefile ${path}: ${yaml.message}`, EXPECTED);
  const file = ignoreFileSchema.safeParse(yaml.value);
  if (!file.success) throw badUsage(`--ignorefile ${path}: ${describeIssues(file.error)}`, EXPECTED);
  return file.data.vulnerabilities.map(({ id, statement, expired_at }) => ({ id, statement, expiresAt: expired_at ?? null }));
}

const FILE_BYTES_MAX = 1024 * 1024;
/** Some ten thousand entries, which are read in a second. */
const TOKENS_MAX = 150_000;

const EXPECTED = 'Expected is a list "vulnerabilities" of {id, statement, expired_at: 2027-01-31}.';
