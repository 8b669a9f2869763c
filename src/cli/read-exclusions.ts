import { parseExclusionList, type ExclusionList } from '../api/exclusion-list.ts';
import { compileExclusions, type Exclusions } from '../core/exclusions/exclusions.ts';
import { badUsage } from './cli-error.ts';
import { describeSome } from './describe-issues.ts';
import { printable } from './output/image-name.ts';
import type { SelectionOptions } from './parsed-options.ts';
import { readInputFile } from './read-input-file.ts';

/**
 * The exclusions of `--exclude` and `--exclude-file`. A list that cannot be read or has one bad entry is an error, never a shorter list:
 * nothing may be removed that it was meant to protect.
 */
export async function readExclusions({ exclude, excludeFile }: SelectionOptions): Promise<Exclusions> {
  const files = await Promise.all(excludeFile.map(readExclusionFile));
  const compiled = compileExclusions([{ name: '--exclude', entries: exclude }, ...files]);
  if (compiled.ok) return compiled.exclusions;
  throw badUsage(
    describeSome(
      compiled.errors.map(({ list, entry, message }) => `${list}: exclusion "${entry}": ${message}`),
      '\n',
    ),
  );
}

async function readExclusionFile(path: string): Promise<ExclusionList> {
  const text = await readInputFile('--exclude-file', path, FILE_BYTES_MAX);
  const list = parseExclusionList(path, text);
  if (list.ok) return list.value;
  const faults = list.errors.map(({ path: at, message }) => printable(at === '' ? message : `${at}: ${message}`));
  throw badUsage(`--exclude-file ${path}: ${describeSome(faults, '; ')}`, EXPECTED);
}

/** As much as a configmap may hold: tens of thousands of entries. */
const FILE_BYTES_MAX = 1024 * 1024;

const EXPECTED = 'Expected is {"excluded": ["ghcr.io/acme/*", "nginx:1.25"]}.';
