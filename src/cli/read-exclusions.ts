import { readFile } from 'node:fs/promises';
import { exclusionListSchema, type ExclusionList } from '../api/exclusion-list.ts';
import { compileExclusions, type Exclusions } from '../core/exclusions/exclusions.ts';
import { errorMessage } from '../platform/errors.ts';
import { badUsage } from './cli-error.ts';
import { describeIssues } from './describe-issues.ts';
import type { SelectionOptions } from './parsed-options.ts';

/**
 * The exclusions of `--exclude` and `--exclude-file`. A list that cannot be read or has one bad entry is an error, never a shorter list:
 * nothing may be removed that it was meant to protect.
 */
export async function readExclusions({ exclude, excludeFile }: SelectionOptions): Promise<Exclusions> {
  const files = await Promise.all(excludeFile.map(readExclusionFile));
  const compiled = compileExclusions([{ name: '--exclude', entries: exclude }, ...files]);
  if (compiled.ok) return compiled.exclusions;
  throw badUsage(compiled.errors.map(({ list, entry, message }) => `${list}: exclusion "${entry}": ${message}`).join('\n'));
}

async function readExclusionFile(path: string): Promise<ExclusionList> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw badUsage(`--exclude-file ${path} cannot be read: ${errorMessage(error)}`);
  });
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw badUsage(`--exclude-file ${path} is not JSON: ${errorMessage(error)}`, EXPECTED);
  }
  // JSON takes the last of two equal keys: the first list would be lost without a word.
  if ([...text.matchAll(/(?<!\\)"excluded"\s*:/g)].length > 1)
    throw badUsage(`--exclude-file ${path}: the key "excluded" is there twice`, EXPECTED);
  const list = exclusionListSchema.safeParse(json);
  if (!list.success) throw badUsage(`--exclude-file ${path}: ${describeIssues(list.error)}`, EXPECTED);
  return { name: path, entries: list.data.excluded };
}

const EXPECTED = 'Expected is {"excluded": ["ghcr.io/acme/*", "nginx:1.25"]}.';
