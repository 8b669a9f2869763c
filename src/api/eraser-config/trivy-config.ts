import * as z from 'zod';
import { SECURITY_CHECKS, type TrivyConfig } from '../eraser-config.ts';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES } from '../scan-report.ts';
import { durationAboveZero, filledText, flag, listOf, orElse, section, word, type TextParsers } from './config-values.ts';

const HOUR_MS = 3_600_000;

/** `components.scanner.config` of Eraser's Trivy scanner. */
export function trivyConfigSchema(parsers: TextParsers) {
  const inVulnerabilities = ['ignoreUnfixed', 'types', 'securityChecks', 'severities', 'ignoredStatuses'];
  return section(
    {
      cacheDir: orElse(filledText, '/var/lib/trivy'),
      dbRepo: orElse(filledText, 'ghcr.io/aquasecurity/trivy-db'),
      deleteFailedImages: orElse(flag, true),
      deleteEOLImages: orElse(flag, true),
      vulnerabilities: section({
        ignoreUnfixed: orElse(flag, false),
        types: orElse(chosenOf(PACKAGE_CLASSES), PACKAGE_CLASSES),
        securityChecks: orElse(securityChecks, ['vuln'] as const),
        severities: orElse(
          chosenOf(SEVERITIES),
          SEVERITIES.filter((severity) => severity !== 'UNKNOWN'),
        ),
        ignoredStatuses: orElse(listOf(word(FINDING_STATUSES)), []),
      }),
      timeout: section({
        total: orElse(durationAboveZero(parsers), 23 * HOUR_MS),
        perImage: orElse(durationAboveZero(parsers), HOUR_MS),
      }),
      // Eraser's scanner has this key, and always overwrites what it says.
      runtime: z.unknown().optional(),
    },
    {
      // Eraser's own default has some of them here, where nothing reads them.
      hints: {
        ...Object.fromEntries(inVulnerabilities.map((key) => [key, `did you mean vulnerabilities.${key}?`])),
        total: 'did you mean timeout.total?',
        perImage: 'did you mean timeout.perImage?',
      },
    },
  ).transform(({ cacheDir, dbRepo, deleteFailedImages, deleteEOLImages, vulnerabilities, timeout }): TrivyConfig => ({
    kind: 'trivy',
    cacheDir,
    dbRepo,
    deleteFailedImages,
    deleteEOLImages,
    vulnerabilities,
    timeout,
  }));
}

/** Trivy takes no choice at all for its own, wider one: an empty list is no default here. */
function chosenOf<Word extends string>(words: readonly Word[]) {
  return listOf(word(words)).min(1, { error: `is empty; name one or more of ${words.join(', ')}` });
}

/** Without `vuln`, Eraser removes no image for its vulnerabilities; they are all that counts here. */
const securityChecks = listOf(word(SECURITY_CHECKS)).refine((checks) => checks.length === 0 || checks.includes('vuln'), {
  error: 'lacks vuln: images go for their vulnerabilities alone',
});
