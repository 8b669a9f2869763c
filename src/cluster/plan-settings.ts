import semver from 'semver';
import { ClusterError } from './cluster-error.ts';
import type { HistoryServer } from '../installation/history-server.ts';
import type { InstallationSettings } from './installed-settings.ts';

/** What was given explicitly; `historyServer`: what of it was, null for a file in the pod. */
export type GivenSettings = Partial<Omit<InstallationSettings, 'historyServer'>> & {
  readonly historyServer?: Partial<HistoryServer> | null;
};

/** What was given explicitly holds, then what is there; an image has no default, since nobody but the operator knows the registry. */
export function planSettings(given: GivenSettings, installed: InstallationSettings | null, version: string): InstallationSettings {
  const image = given.image ?? (installed === null ? null : atVersion(installed.image, version));
  if (image === null) {
    throw new ClusterError({
      code: 'bad-value',
      message: 'No image is named, and none is installed whose registry could be used.',
      hint: "Name it: --image registry.example/team/image-cleaner:VERSION. `npm run images` makes it, and the scanner's beside it.",
    });
  }
  const scannerImage =
    given.scannerImage ??
    (given.image === undefined && installed !== null ? atVersion(installed.scannerImage, version) : scannerBeside(image));
  const managerArgs = given.managerArgs ?? installed?.managerArgs ?? [];
  const historyServer = planHistoryServer(given.historyServer, installed?.historyServer ?? null);
  refuseSecondHistory(historyServer, managerArgs);
  return {
    image,
    scannerImage,
    managerArgs,
    trivyArgs: given.trivyArgs ?? installed?.trivyArgs ?? [],
    trivyCacheHostPath: given.trivyCacheHostPath ?? installed?.trivyCacheHostPath ?? null,
    historyServer,
  };
}

function planHistoryServer(given: GivenSettings['historyServer'], installed: HistoryServer | null): HistoryServer | null {
  if (given === undefined) return installed;
  if (given === null) return null;
  const url = given.url ?? installed?.url;
  if (url === undefined) {
    throw new ClusterError({
      code: 'bad-value',
      message: 'A password or a CA is named for a history that is a file.',
      hint: 'Name the PostgreSQL, too: --history-url postgres://USER@HOST/DATABASE',
    });
  }
  const { passwordSecret = installed?.passwordSecret ?? null, ca = installed?.ca ?? null } = given;
  return { url, passwordSecret, ca };
}

/** The manager would go by the flag, which is behind. */
function refuseSecondHistory(historyServer: HistoryServer | null, managerArgs: readonly string[]): void {
  const named = managerArgs.find((arg) => /^--?history(-password-file)?(=|$)/.test(arg));
  if (historyServer === null || named === undefined) return;
  throw new ClusterError({
    code: 'bad-value',
    message: `The flag ${named.replace(/=.*/s, '')} of the manager names a history beside that of --history-url.`,
    hint: 'Give the flags of the manager anew, without it: --manager-arg=…, or --manager-arg= with nothing behind for none.',
  });
}

/** Versions of Image Cleaner. */
export interface VersionChange {
  readonly from: string;
  readonly to: string;
}

/** Where what is installed is newer than this program, or than the image that it would get. null: it is not, or nobody can tell by the image's tag. */
export function findDowngrade(
  planned: InstallationSettings,
  installed: InstallationSettings | null,
  version: string,
): VersionChange | null {
  const from = installed === null ? null : versionOfImage(installed.image);
  if (from === null) return null;
  const to = [version, versionOfImage(planned.image) ?? version].reduce((one, other) => (semver.lt(one, other) ? one : other));
  return semver.lt(to, from) ? { from, to } : null;
}

/** By its tag, whether there is a digest behind it or not; null: it does not say. */
export function versionOfImage(image: string): string | null {
  return semver.valid(/:([^:/@]+)(?:@[^@]+)?$/.exec(image)?.[1]);
}

/** `registry.example:5000/team/image-cleaner`. */
export function repositoryOfImage(image: string): string {
  return image.replace(/@[^@]*$/, '').replace(/:[^:/]*$/, '');
}

/** The version of this program, where the tag is a version; a digest, and a tag of another kind, were chosen on purpose. */
function atVersion(image: string, version: string): string {
  return /:\d+\.\d+\.\d+[^/@]*$/.test(image) ? image.replace(/:[^:/]*$/, `:${version}`) : image;
}

/** Both are made with the same repository and tag. */
function scannerBeside(image: string): string {
  const [, before, rest] = /^(.*\/|)image-cleaner(:[^/@]+|)$/.exec(image) ?? [];
  if (before !== undefined && rest !== undefined) return `${before}image-cleaner-scanner${rest}`;
  throw new ClusterError({
    code: 'bad-value',
    message: `--image ${image} does not say which image the scanner has: that is told by the name only where it is "…/image-cleaner:TAG".`,
    hint: 'Name it, too: --scanner-image registry.example/team/image-cleaner-scanner:TAG',
  });
}
