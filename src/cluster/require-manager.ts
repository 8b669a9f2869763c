import { MANAGER } from '../installation/make-manifest.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { readInstallation, type FoundInstallation } from './read-installation.ts';

/** The installation, with a manager that is at work. Throws a ClusterError with the next step when there is none. */
export async function requireManager(site: ClusterSite): Promise<FoundInstallation> {
  const found = await readInstallation(site);
  const { namespace, manager } = found;
  if (manager === null) {
    throw new ClusterError({
      code: 'not-installed',
      message: `Image Cleaner is not installed in the namespace ${namespace}`,
      hint: 'To install it: image-cleaner cluster enable. If it is in another namespace, name that with --namespace.',
    });
  }
  if (!manager.isOurs) {
    throw new ClusterError({
      code: 'not-installed',
      message: `The manager in the namespace ${namespace} is Eraser's, not Image Cleaner's`,
      hint: 'To put Image Cleaner in its place: image-cleaner cluster enable',
    });
  }
  if (manager.readyReplicas > 0) return found;
  throw new ClusterError({
    code: 'not-ready',
    message:
      manager.replicas === 0
        ? `The manager is switched off: the Deployment ${namespace}/${MANAGER} has no replicas`
        : `The manager is not ready: no pod of the Deployment ${namespace}/${MANAGER} is`,
    hint:
      manager.replicas === 0
        ? 'To switch it on: image-cleaner cluster enable'
        : 'What is wrong with it: image-cleaner cluster status. To have it made anew: image-cleaner cluster enable',
  });
}
