import * as z from 'zod';
import { SECURITY_CHECKS, type TrivyConfig } from '../eraser-config.ts';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES } from '../scan-report.ts';
import { durationAboveZero, filledText, flag, listOf, orElse, section, word, type TextParsers } from './config-values.ts';

const HOUR_MS = 3_600_000;
/** Where none is named: what Eraser's scanner downloads from. */
export const USUAL_DATABASE_REPOSITORY = 'ghcr.io/aquasecurity/trivy-db';

/** `components.scanner.config` of Eraser's Trivy scanner. */
export function trivyConfigSchema(parsers: TextParsers) {
  const inVulnerabilities = ['ignoreUnfixed', 'types', 'securityChecks', 'severities', 'ignoredStatuses'];
  return section(
    {
      cacheDir: orElse(filledText, '/var/lib/trivy').meta({ description: 'Where the scanner keeps its database, in its container.' }),
      dbRepo: orElse(filledText, USUAL_DATABASE_REPOSITORY).meta({
        description: 'The repository that the vulnerability database comes from.',
      }),
      deleteFailedImages: orElse(flag, true).meta({
        description:
          'Whether images go whose complete content cannot be parsed. When a scan fails otherwise, the image stays, unlike in Eraser.',
      }),
      deleteEOLImages: orElse(flag, true).meta({ description: 'Whether images go whose operating system is past its end of life.' }),
      vulnerabilities: section({
        ignoreUnfixed: orElse(flag, false).meta({ description: 'Whether vulnerabilities without a fixed version are left out.' }),
        types: orElse(chosenOf(PACKAGE_CLASSES), PACKAGE_CLASSES).meta({
          description: 'The packages that count: those of the operating system, and those of languages.',
        }),
        securityChecks: orElse(securityChecks, ['vuln'] as const).meta({
          description: 'Must hold `vuln`; the others have no effect, since only vulnerabilities count.',
        }),
        severities: orElse(
          chosenOf(SEVERITIES),
          SEVERITIES.filter((severity) => severity !== 'UNKNOWN'),
        ).meta({ description: 'The severities that count.' }),
        ignoredStatuses: orElse(listOf(word(FINDING_STATUSES)), []).meta({
          description: 'Vulnerabilities of which the vendor says one of these are left out.',
        }),
      }).meta({ description: 'Which vulnerabilities make an image go.' }),
      timeout: section({
        total: orElse(durationAboveZero(parsers), 23 * HOUR_MS).meta({
          description: 'For all images of a node; what is not scanned by then stays.',
        }),
        perImage: orElse(durationAboveZero(parsers), HOUR_MS).meta({ description: 'For one image; it stays then.' }),
      }).meta({ description: 'How long scans may take.' }),
      // Eraser's scanner has this key, and always overwrites what it says.
      runtime: z.unknown().optional().meta({ description: 'Not read: `manager.runtime` holds.' }),
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
