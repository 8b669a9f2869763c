import { Option, type Command } from 'commander';
import { DEFAULT_SCAN_POLICY } from '../api/scan-policy.ts';
import { FINDING_STATUSES, PACKAGE_CLASSES, SEVERITIES } from '../api/scan-report.ts';
import { badUsage } from './cli-error.ts';
import {
  diskLimit,
  duration,
  durationOption,
  durationOrNone,
  collect,
  collectFlags,
  list,
  positiveInteger,
  quantity,
  serverUrl,
} from './option-values.ts';
import { OUTPUT_FORMATS } from './output/write-document.ts';

/** Options that more than one command takes, so that they mean the same in each. The parsed shapes are in `parsed-options.ts`. */

export function addRuntimeOptions(command: Command): Command {
  return command
    .option(
      '--runtime-endpoint <endpoint>',
      'socket of the container runtime (default: CONTAINER_RUNTIME_ENDPOINT, /etc/crictl.yaml, then the sockets of containerd, CRI-O and cri-dockerd)',
    )
    .option('--config <file>', "configuration of Eraser's, an EraserConfig or its ConfigMap; options given here win over it")
    .addOption(outputOption());
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'output format').choices(OUTPUT_FORMATS).default('table');
}

export function addScannerOptions(command: Command): Command {
  return command
    .option('--trivy <path>', 'the trivy binary', 'trivy')
    .option('--trivy-cache-dir <dir>', "folder of trivy's vulnerability database (default: TRIVY_CACHE_DIR, else trivy's own)")
    .option('--skip-db-update', 'use the vulnerability database as it is, never download one', false)
    .option('--db-repository <repository>', 'where trivy downloads its vulnerability database from')
    .option('--trivy-server <url>', 'a Trivy server whose database judges; this machine then needs none', serverUrl)
    .option('--trivy-token-file <file>', "file with the Trivy server's token (default: TRIVY_TOKEN)")
    .option('--trivy-ca <file>', "certificates, as PEM, of those who may have signed the Trivy server's")
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
    .addOption(
      new Option('--pkg-types <list>', `packages whose vulnerabilities count, of ${PACKAGE_CLASSES.join(', ')}`)
        .argParser(list(PACKAGE_CLASSES, 'lower'))
        .default(DEFAULT_SCAN_POLICY.packageClasses, DEFAULT_SCAN_POLICY.packageClasses.join(',')),
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

/** Options of rules 6 to 8. */
export function addAgeOptions(command: Command): Command {
  return command
    .option('--min-age <duration>', 'keep images that were first seen less than this ago, such as 24h', durationOrNone, 0)
    .option('--max-age <duration>', 'remove images that nothing has used for longer than this, such as 30d', duration)
    .option('--disk-high <limit>', 'above this much in use, such as 85% or 40Gi, remove images, least recently used first', diskLimit)
    .option('--disk-low <limit>', 'until no more than this is in use (default: the high limit)', diskLimit);
}

export function addHistoryOption(command: Command): Command {
  return command
    .option('--history <file>', 'where runs, images and scans are remembered (default: IMAGE_CLEANER_HISTORY, else the state folder)')
    .option('--no-history', 'remember nothing, and know nothing of earlier runs');
}

/** What only a run that removes needs to know of its record. */
export function addRecordOptions(command: Command): Command {
  return addHistoryOption(command)
    .addOption(durationOption('--history-max-age <duration>', 'forget runs that are older', '400d'))
    .addOption(
      new Option('--history-max-size <quantity>', 'forget the oldest runs when the history is larger')
        .argParser(quantity)
        .default(quantity('512Mi'), '512Mi'),
    )
    .option('--audit-log <file>', 'append a line of JSON for each removal to this file');
}

export function addScheduleOptions(command: Command): Command {
  return command
    .option(
      '--schedule [when]',
      'stay, and clean again and again: an interval (24h) or a cron expression ("0 3 * * *"), else the interval of --config; needs --yes',
    )
    .option('--time-zone <zone>', "of the cron expression, such as Europe/Berlin (default: the machine's)")
    .option('--begin-immediately', 'with an interval, begin at once if no earlier run is known of (default)')
    .option('--no-begin-immediately', 'begin one interval after the start then');
}

export function addConsentOptions(command: Command): Command {
  return command.option('--dry-run', 'show the plan, remove nothing', false).option('-y, --yes', 'remove without asking', false);
}

export function addConcurrencyOption(command: Command): Command {
  return command.option(
    '--concurrency <number>',
    'images scanned, and removed, at once (default: scans by memory and processors, 8 removals)',
    positiveInteger,
  );
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
    if (!option.required || option.parseArg === collectFlags || command.getOptionValueSource(option.attributeName()) !== 'cli') continue;
    const values = [command.getOptionValue(option.attributeName()) as unknown].flat();
    const lost = values.find((value) => typeof value === 'string' && (value === '' || value.startsWith('--')));
    if (typeof lost === 'string')
      throw badUsage(`${option.flags} has ${lost === '' ? 'an empty value' : `no value, but ${lost} after it`}.`);
  }
}
