import { InvalidArgumentError, Option, type Command } from 'commander';
import { DEFAULT_SCAN_POLICY } from '../api/scan-policy.ts';
import { FINDING_STATUSES, SEVERITIES } from '../api/scan-report.ts';
import { badUsage } from './cli-error.ts';
import { parseDuration } from '../platform/duration.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { OUTPUT_FORMATS } from './output/write-document.ts';

/** Options that more than one command takes, so that they mean the same in each. The parsed shapes are in `parsed-options.ts`. */

export function addRuntimeOptions(command: Command): Command {
  return command
    .option(
      '--runtime-endpoint <endpoint>',
      'socket of the container runtime (default: CONTAINER_RUNTIME_ENDPOINT, /etc/crictl.yaml, then the sockets of containerd, CRI-O and cri-dockerd)',
    )
    .addOption(new Option('-o, --output <format>', 'output format').choices(OUTPUT_FORMATS).default('table'));
}

export function addScannerOptions(command: Command): Command {
  return command
    .option('--trivy <path>', 'the trivy binary', 'trivy')
    .option('--trivy-cache-dir <dir>', "folder of trivy's vulnerability database (default: TRIVY_CACHE_DIR, else trivy's own)")
    .option('--skip-db-update', 'use the vulnerability database as it is, never download one', false)
    .option('--db-repository <repository>', 'where trivy downloads its vulnerability database from')
    .option('--scan-memory <quantity>', 'memory for all scans at once, such as 2Gi (default: half of what this process may use)', quantity)
    .addOption(durationOption('--timeout-per-image <duration>', 'longest time for the scan of one image', '1h'))
    .addOption(durationOption('--timeout-total <duration>', 'longest time for all scans', '23h'));
}

export function addPolicyOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--severity <list>', `severities that make an image go, of ${SEVERITIES.join(', ')}`)
        .argParser(list(SEVERITIES, 'upper'))
        .default(DEFAULT_SCAN_POLICY.severities, DEFAULT_SCAN_POLICY.severities.join(',')),
    )
    .option('--ignore-unfixed', 'leave out vulnerabilities without a fixed version', false)
    .option('--ignore-status <list>', 'leave out vulnerabilities of these statuses', list(FINDING_STATUSES, 'lower'), [])
    .option('--ignorefile <file>', "vulnerabilities to leave out, in the format of trivy's .trivyignore.yaml")
    .option('--keep-end-of-life', 'keep images whose operating system is past its end of life', false)
    .option('--keep-unscannable', 'keep images whose complete content cannot be parsed', false);
}

export function addSelectionOptions(command: Command): Command {
  return command
    .addOption(new Option('--scanner <scanner>', 'none: every unused image goes').choices(['trivy', 'none']).default('trivy'))
    .option(
      '--exclude <pattern>',
      'keep images that match: a name, name:tag, name:*, prefix/*, digest, glob or tag range (repeatable)',
      collect,
      [],
    )
    .option('--exclude-file <file>', 'JSON file {"excluded": [patterns]} (repeatable)', collect, [])
    .option('--image <entry>', 'remove just this image if nothing uses it: tag, digest or id, or * for all (repeatable)', collect, []);
}

export function addConcurrencyOption(command: Command): Command {
  return command.option(
    '--concurrency <number>',
    'images scanned, and removed, at once (default: scans by memory and processors, 8 removals)',
    positiveInteger,
  );
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}

/** The default is Eraser's, as a user would write it. */
function durationOption(flags: string, description: string, byDefault: string): Option {
  const duration = (text: string): number => parsed(parseDuration, text);
  return new Option(flags, description).argParser(duration).default(duration(byDefault), byDefault);
}

function quantity(text: string): number {
  return parsed(parseQuantity, text);
}

type Parsed = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

function parsed(parse: (text: string) => Parsed, text: string): number {
  const result = parse(text);
  if (!result.ok) throw new InvalidArgumentError(result.message);
  if (result.value <= 0) throw new InvalidArgumentError('It must be more than zero.');
  return result.value;
}

function positiveInteger(text: string): number {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new InvalidArgumentError('Allowed are whole numbers from 1 to 9999.');
  return number;
}

/** A comma-separated list of allowed words, in any case. */
function list<Word extends string>(allowed: readonly Word[], letters: 'upper' | 'lower'): (text: string) => Word[] {
  return (text) =>
    text.split(',').map((part) => {
      const wanted = letters === 'upper' ? part.trim().toUpperCase() : part.trim().toLowerCase();
      const word = allowed.find((candidate) => candidate === wanted);
      if (word === undefined) throw new InvalidArgumentError(`"${part.trim()}" is none of ${allowed.join(', ')}.`);
      return word;
    });
}

/** As commander describes an option, without the defaults that say nothing: not given, and none in the list. */
export function describeOption(option: Option): string {
  const choices = option.argChoices === undefined ? [] : [`choices: ${option.argChoices.join(', ')}`];
  const { defaultValue, defaultValueDescription } = option as { defaultValue: unknown; defaultValueDescription?: string };
  const byDefault = defaultValueDescription ?? (typeof defaultValue === 'string' ? defaultValue : undefined);
  const extra = [...choices, ...(byDefault === undefined ? [] : [`default: ${byDefault}`])];
  return extra.length === 0 ? option.description : `${option.description} (${extra.join('; ')})`;
}

/**
 * Throws when the value of an option is empty, as from an unset variable of a shell, or another option that was taken for it: `--exclude
 * --dry-run` would be no dry run.
 */
export function refuseLostValues(command: Command): void {
  for (const option of command.options) {
    if (!option.required || command.getOptionValueSource(option.attributeName()) !== 'cli') continue;
    const values = [command.getOptionValue(option.attributeName()) as unknown].flat();
    const lost = values.find((value) => typeof value === 'string' && (value === '' || value.startsWith('--')));
    if (typeof lost === 'string')
      throw badUsage(`${option.flags} has ${lost === '' ? 'an empty value' : `no value, but ${lost} after it`}.`);
  }
}

/** Options that say which findings make an image go: without a scan they would be ignored, and more would go than their user means. */
const POLICY_OPTIONS = ['severity', 'ignoreUnfixed', 'ignoreStatus', 'ignorefile', 'keepEndOfLife', 'keepUnscannable'] as const;

/** Throws when options are given that exclude each other. */
export function refuseContradictions(command: Command): void {
  const isGiven = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  const policy = command.options.find(
    (option) => POLICY_OPTIONS.some((name) => name === option.attributeName()) && isGiven(option.attributeName()),
  );
  if (policy === undefined) return;
  const withoutScan = isGiven('image') ? '--image' : command.opts<{ scanner?: string }>().scanner === 'none' ? '--scanner none' : null;
  if (withoutScan === null) return;
  throw badUsage(
    `${policy.long ?? policy.flags} and ${withoutScan} exclude each other: with ${withoutScan} nothing is scanned.`,
    'Leave one of them out.',
  );
}
