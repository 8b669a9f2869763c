import type { HostVolume } from '../../api/eraser-config.ts';
import { shorten, type Problem } from '../../api/problem.ts';
import { WORKER_PATHS, WORKER_VOLUMES } from '../../api/worker-pod.ts';

const OWN_NAMES: readonly string[] = Object.values(WORKER_VOLUMES);
const OWN_PATHS: readonly string[] = ['/', ...Object.values(WORKER_PATHS)];

const VOLUME_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
/** As in a pod; empty: nothing is asked. */
const HOST_PATH_TYPES: readonly string[] = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
];

/** What the API server would refuse in every worker pod, and what would hide a part of one: volumes are mounted at the path that they have. */
export function volumeProblems(volumes: readonly HostVolume[]): Problem[] {
  return volumes.flatMap(({ name, hostPath }, at) => {
    const before = volumes.slice(0, at);
    const path = normalise(hostPath.path);
    const ofName = (message: string): Problem => ({
      path: `components.scanner.volumes[${at}].name`,
      message: `"${shorten(name)}" ${message}`,
    });
    const ofPath = (message: string): Problem => ({
      path: `components.scanner.volumes[${at}].hostPath.path`,
      message: `"${hostPath.path}" ${message}`,
    });
    const problems: Problem[] = [];
    if (!VOLUME_NAME.test(name)) problems.push(ofName('is no name of a volume; allowed are up to 63 small letters, digits and "-"'));
    const { type } = hostPath;
    if (type !== undefined && !HOST_PATH_TYPES.includes(type)) {
      const message = `"${shorten(type)}" is not one of ${HOST_PATH_TYPES.filter((known) => known !== '').join(', ')}`;
      problems.push({ path: `components.scanner.volumes[${at}].hostPath.type`, message });
    }
    if (OWN_NAMES.includes(name.replace(/-(\d+|collector|remover|trivy-scanner)$/, '')))
      problems.push(ofName('is the name of a volume of ours'));
    if (before.some((other) => other.name === name)) problems.push(ofName('is there twice'));
    if (path.split('/').includes('..')) problems.push(ofPath('has ".." in it'));
    if (OWN_PATHS.includes(path)) problems.push(ofPath('would be mounted where the worker has its own files'));
    if (before.some((other) => normalise(other.hostPath.path) === path)) problems.push(ofPath('is mounted twice'));
    return problems;
  });
}

function normalise(path: string): string {
  return `/${path
    .split('/')
    .filter((part) => part !== '')
    .join('/')}`;
}
