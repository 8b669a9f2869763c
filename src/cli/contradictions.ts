import type { Command } from 'commander';
import { formatDuration } from '../platform/duration.ts';
import { badUsage } from './cli-error.ts';
import type { CleanOptions } from './parsed-options.ts';

/** Two options, each as a user gives it, and why they exclude each other. */
interface Contradiction {
  readonly between: readonly [string, string];
  readonly because: string;
}

/** Options of a scan: without one they would be ignored, and more would go than their user means. */
const POLICY = ['severity', 'pkgTypes', 'ignoreUnfixed', 'ignoreStatus', 'ignorefile', 'keepEndOfLife', 'keepUnscannable'];
const SCANNER = ['trivy', 'trivyCacheDir', 'skipDbUpdate', 'dbRepository', 'scanMemory', 'timeoutPerImage', 'timeoutTotal'];
const SERVER = ['trivyServer', 'trivyTokenFile', 'trivyCa'];
/** Options that choose among the unused images. */
const SELECTION = ['minAge', 'maxAge', 'diskHigh', 'diskLow'];

/** Throws when options are given that exclude each other. What a configuration file says contradicts nothing: an option of the command line wins. */
export function refuseContradictions(command: Command): void {
  refuseLonely(command);
  refuseCrossedLimits(command.opts<Partial<CleanOptions>>());
  const contradiction = findContradiction(command);
  if (contradiction === null) return;
  const [one, other] = contradiction.between;
  throw badUsage(`${one} and ${other} exclude each other: ${contradiction.because}.`, 'Leave one of them out.');
}

function findContradiction(command: Command): Contradiction | null {
  const options = command.opts<Partial<CleanOptions>>();
  const isGiven = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  /** The first of these options that is given, by its flag. */
  const given = (...names: string[]): string | null => {
    const found = command.options.find((option) => names.includes(option.attributeName()) && isGiven(option.attributeName()));
    return found === undefined ? null : (found.long ?? found.flags);
  };
  const pair = (one: string | null, other: string | null, because: string): Contradiction | null =>
    one === null || other === null ? null : { between: [one, other], because };

  const list = given('image');
  const scanner = isGiven('scanner')
    ? `--scanner ${String(options.scanner)}`
    : 'the scanner that --config switches off (--scanner trivy: on)';
  const noScan = list ?? (options.scanner === 'none' ? scanner : null);
  const noHistory = options.history === false ? '--no-history' : null;
  return (
    pair(given(...POLICY, ...SCANNER, ...SERVER), noScan, 'nothing is scanned then') ??
    pair(isGiven('scanner') && options.scanner !== 'none' ? scanner : null, list, 'with --image nothing is scanned') ??
    pair(given('skipDbUpdate'), given('dbRepository'), 'with --skip-db-update nothing is downloaded') ??
    pair(given(...SELECTION), list, 'with --image nothing goes but what is listed, whatever its age') ??
    pair(given('dbRepository'), given('trivyServer'), "with --trivy-server the server's database judges") ??
    pair(given('since', 'until'), command.name() === 'history' ? list : null, '--image shows all runs') ??
    pair(given('jobs'), given('job', 'node', 'logs') ?? list, '--jobs shows all jobs as a whole') ??
    pair(given('job'), given('since', 'until', 'limit') ?? list, '--job shows all of one job') ??
    pair(given('minAge', 'maxAge'), noHistory, 'the age of an image is known from the history') ??
    pair(given('timeoutPerImage'), endsSooner(options) ? given('timeoutTotal') : null, 'all scans together end sooner') ??
    contradictoryAges(options)
  );
}

/** Options that say something only together with another. */
const COMPANIONS: readonly { readonly options: readonly string[]; readonly needs: string; readonly because: string }[] = [
  { options: ['trivyTokenFile', 'trivyCa'], needs: '--trivy-server', because: 'it is for a Trivy server' },
  { options: ['logs'], needs: '--job', because: 'they are of one job' },
  { options: ['diskLow'], needs: '--disk-high', because: 'it says where the removal that --disk-high begins is to end' },
];

function refuseLonely(command: Command): void {
  for (const { options, needs, because } of COMPANIONS) {
    const lonely = command.options.find(
      (option) => options.includes(option.attributeName()) && command.getOptionValue(option.attributeName()) !== undefined,
    );
    const companion = command.options.find(({ long }) => long === needs);
    if (lonely === undefined || companion === undefined || command.getOptionValue(companion.attributeName()) !== undefined) continue;
    throw badUsage(`${lonely.long ?? lonely.flags} needs ${needs}: ${because}.`);
  }
}

function endsSooner({ timeoutPerImage = 0, timeoutTotal = timeoutPerImage }: Partial<CleanOptions>): boolean {
  return timeoutTotal < timeoutPerImage;
}

function contradictoryAges({ minAge = 0, maxAge }: Partial<CleanOptions>): Contradiction | null {
  if (maxAge === undefined || minAge <= maxAge) return null;
  const because = 'no image can be kept for being younger and go for being older';
  return { between: [`--min-age ${formatDuration(minAge)}`, `--max-age ${formatDuration(maxAge)}`], because };
}

/** One limit in bytes, one in per cent: which is the lower one depends on the filesystem. */
function refuseCrossedLimits({ diskHigh, diskLow }: Partial<CleanOptions>): void {
  if (diskLow === undefined || diskHigh?.unit !== diskLow.unit || diskLow.value <= diskHigh.value) return;
  throw badUsage(
    `--disk-low ${diskLow.given} is above --disk-high ${diskHigh.given}, and must not be: removal begins above the high limit and ends at the low one.`,
    'Lower --disk-low, or raise --disk-high.',
  );
}
